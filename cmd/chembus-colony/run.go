package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// gapTopic is the topic that -listen subscribes to.
const gapTopic = "CAPABILITY_GAP"

// lines writes lines from several goroutines, each with the time since the first.
type lines struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		l.start = time.Now()
	}
	fmt.Fprintf(l.out, "%9.3fs  %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// run starts the bus and the colony, plays the events, and stops both.
func run(ctx context.Context, o options, l *lines) (err error) {
	xsub, xpub := o.xsub, o.xpub
	var bus *colony.Bus
	if !o.noBus {
		if bus, err = colony.NewBus(colony.BusConfig{XSub: xsub, XPub: xpub}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, bus.Close()) }()
		xsub, xpub = bus.XSub(), bus.XPub()
		l.printf("the bus is up: publishers connect to %s, subscribers to %s", xsub, xpub)
	}
	if o.listen {
		listener, err := consumer.New(consumer.Config{
			XPub:      xpub,
			Topic:     gapTopic,
			OnMessage: func(m consumer.Message) { l.printf("%s", describeGap(m)) },
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, listener.Close()) }()
	}
	if o.historian {
		h, err := consumer.NewHistorian(consumer.HistorianConfig{XPub: xpub, OnMessage: func(r consumer.HistorianRecord) {
			if r.Problem != "" {
				l.printf("the historian: %s: %.200q", r.Problem, r.Frames)
			}
		}})
		if err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, h.Close())
			l.printf("the historian: %v", h.Report())
		}()
	}
	if o.interoception > 0 {
		m, err := colony.NewInteroception(xsub, xpub, o.interoception)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
	}
	c, err := colony.New(colony.Config{XSub: xsub, Seed: o.seed})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Add(o.zooids...); err != nil {
		return err
	}
	l.printf("%s", describeColony(c.Names(), xsub))
	return o.play(ctx, bus, c, l)
}

// play executes the events at their times, and returns when the duration is over or the context ends. It ends a maintenance
// that has begun.
func (o options) play(ctx context.Context, bus *colony.Bus, c *colony.Colony, l *lines) error {
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	start := time.Now()
	suspended := false
	for _, e := range o.events {
		select {
		case <-ctx.Done():
			if !suspended || e.kind != resume {
				continue
			}
		case <-time.After(time.Until(start.Add(e.at))):
		}
		if err := e.execute(bus, c, o.marker); err != nil {
			return err
		}
		l.printf("%v", e)
		suspended = e.kind == suspend || suspended && e.kind != resume
	}
	<-ctx.Done()
	return nil
}

// describeColony lists the first zooids and counts the others.
func describeColony(names []string, xsub string) string {
	const shown = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%d zooids beat on %s", len(names), xsub)
	for i, name := range names {
		if i == shown {
			fmt.Fprintf(&b, ", and %d more", len(names)-shown)
			break
		}
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}

// describeGap describes a gap in one line. Values from the bus are quoted: they may hold control characters.
func describeGap(m consumer.Message) string {
	fact := func(name string) string { return quoted(m.Facts[name]) }
	incident := "null"
	if m.IncidentID != nil {
		incident = quoted(*m.IncidentID)
	}
	result := "handled"
	if !m.Handled {
		result = "dropped as a duplicate"
	}
	return fmt.Sprintf("%s %s of zooid %s: %s (last_seen %s, missing_seconds %s, incident_id %s): %s", gapTopic,
		fact("gap_type"), fact("zooid"), fact("gap_reason"), fact("last_seen"), fact("missing_seconds"), incident, result)
}

func quoted(value any) string {
	switch value := value.(type) {
	case nil:
		return "missing"
	case float64:
		return fmt.Sprintf("%.3f", value)
	case string:
		return fmt.Sprintf("%q", value)
	default:
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
}
