package liveness

import (
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// maxMeasurements bounds for how many names of metrics it is kept which watches take them.
const maxMeasurements = 10_000

// emptyAfter is for how long a watch may have ticks and no component before that is logged.
const emptyAfter = 5 * time.Minute

// watches finds out what a metric says to the watches.
type watches struct {
	all     []*Watch
	byName  map[string][]taker // by the name of a metric
	events  []watchEvent       // of the present metric
	started time.Time
}

// taker is a watch that takes the metrics of one name.
type taker struct {
	watch *Watch
	tick  bool // else they are beats
}

// watchEvent is what a metric says to a watch.
type watchEvent struct {
	watch *Watch
	event
}

// Read returns what a metric says to each watch. It is valid until the next call.
func (s *watches) Read(m telegraf.Metric, now func() time.Time, log telegraf.Logger) []watchEvent {
	s.events = s.events[:0]
	takers := s.takersOf(m.Name())
	if len(takers) == 0 {
		return nil
	}
	at := now()
	e := event{at: at, killed: -1, resumed: -1}
	e.beat = detector.Beat{
		Run:      max(s.started.UnixNano(), 1), // 0 would be an unknown one
		Observed: max(at.Sub(s.started), 0),
		LastSeen: float64(m.Time().UnixNano()) / 1e9,
		Beats:    1,
	}
	for _, t := range takers {
		if t.watch.MaxAge > 0 && at.Sub(m.Time()) > time.Duration(t.watch.MaxAge) {
			continue
		}
		e.kind = tick
		if !t.tick {
			e.kind = heartbeat
			if e.beat.Key = t.watch.key(m, log); e.beat.Key == "" {
				continue
			}
		}
		s.events = append(s.events, watchEvent{t.watch, e})
	}
	return s.events
}

// takersOf returns the watches that take the metrics of a name.
func (s *watches) takersOf(name string) []taker {
	if len(s.all) == 0 {
		return nil
	}
	takers, known := s.byName[name]
	if known {
		return takers
	}
	for _, w := range s.all {
		switch {
		case w.ticking.Match(name):
			takers = append(takers, taker{w, true})
		case w.measured.Match(name):
			takers = append(takers, taker{w, false})
		}
	}
	if len(s.byName) >= maxMeasurements {
		clear(s.byName)
	}
	s.byName[strings.Clone(name)] = takers
	return takers
}

// key returns which component a metric is of; empty if that is none that is to be judged.
func (w *Watch) key(m telegraf.Metric, log telegraf.Logger) string {
	key, ok := keyOf(m, w.Identity)
	if !ok {
		if !w.namelessLogged {
			w.namelessLogged = true
			log.Warnf("Metrics such as %q are not judged by the watch %q, since they lack a tag that identity = [\"%s\"] names. "+
				"Name the tags that their input sets",
				m.Name(), w.Name, strings.Join(w.Identity, `", "`))
		}
		return ""
	}
	if w.ignored.Match(detector.Name(key)) {
		return ""
	}
	return key
}

// feedWatch hands what a metric said to the detector of a watch, and adds what was found.
func (l *Liveness) feedWatch(acc telegraf.Accumulator, e *watchEvent) {
	w := e.watch
	w.bus.heard = e.at
	l.feed(acc, w.bus, &e.event)
	if e.kind == heartbeat {
		w.populated = true
	} else if !w.populated && e.beat.Observed-w.ticks.began > emptyAfter && w.ticks.ticked {
		w.populated = true
		l.Log.Warnf("The watch %q has no component: ticks came for %v, and no metric of measurement = [\"%s\"] with the tags identity = [\"%s\"]. "+
			"Add them to namepass of this processor, and see whether they are spelled so",
			w.Name, emptyAfter, strings.Join(w.Measurement, `", "`), strings.Join(w.Identity, `", "`))
	}
	switch {
	case e.kind == tick && w.ticks.Tick(e.beat.Observed) && w.bus.blind.Allow(e.at):
		l.Log.Warnf("No component of the watch %q is judged most of the time: metrics of tick = [\"%s\"] come more than blind_after, %v, apart. "+
			"Raise blind_after, or name metrics that come more often",
			w.Name, strings.Join(w.Tick, `", "`), time.Duration(w.BlindAfter))
	case e.kind == heartbeat && w.ticks.Beat(e.beat.Observed) && w.bus.blind.Allow(e.at):
		l.Log.Warnf("No component of the watch %q is judged: no metric of tick = [\"%s\"] came for more than %v, but others do. "+
			"Add them to namepass of this processor, and see whether their input works",
			w.Name, strings.Join(w.Tick, `", "`), 2*time.Duration(w.BlindAfter))
	}
}

// watchNamed returns the watch with a name, nil if there is none.
func (l *Liveness) watchNamed(name string) *Watch {
	i := slices.IndexFunc(l.Watches, func(w *Watch) bool { return w.Name == name })
	if i < 0 {
		return nil
	}
	return l.Watches[i]
}
