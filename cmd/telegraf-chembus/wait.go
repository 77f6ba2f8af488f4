//go:build cgo

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
)

// maxMissing is how many names the message about a timeout lists.
const maxMissing = 20

// waitSizeFactor is how many times max_message_size a message may have before ZeroMQ cuts the connection. What is
// between is ignored.
const waitSizeFactor = 64

// runWait waits until every component has sent a heartbeat on the input's bus. It publishes nothing. The error of a
// timeout names the components that did not.
func runWait(a arguments, stderr io.Writer) error {
	log := lineLog{info: io.Discard, warn: stderr}
	uninstall, err := log.install()
	if err != nil {
		return err
	}
	defer uninstall()
	r, _ := roleNamed("input")
	t, err := tableFor(r, a.file)
	if err != nil {
		return err
	}
	plugin, problems := t.load()
	if len(problems) > 0 {
		return problems[0]
	}
	if err := waitFor(plugin.(*chembus.ChemBus), a.names, a.timeout); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}

// waitFor subscribes to the heartbeats and reads them until every name was heard, or until the timeout. Beats of before
// are not remembered by a bus, so each one that is received was sent or let go after the start.
func waitFor(in *chembus.ChemBus, names []string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	endpoint, err := bus.SubscribeEndpoint(in.SubscribeEndpoint)
	if err != nil {
		return err
	}
	keys, err := in.Curve.Load()
	if err != nil {
		return err
	}
	loop := new(bus.Loop)
	if err := loop.Init(); err != nil {
		return fmt.Errorf("preparing to connect: %w", err)
	}
	connection, err := bus.NewSubscriber(loop.Context, endpoint, keys, waitSizeFactor*int64(in.MaxMessageSize), in.HeartbeatTopic)
	if err != nil {
		return errors.Join(err, loop.Stop(nil))
	}
	missing, err := receiveBeats(loop, connection, in, names, deadline)
	connected := connection.Up()
	connection.Close(0)
	_ = loop.Stop(nil) // what it may say is of no interest behind the rest
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return timeoutError(missing, timeout, endpoint, connected)
	}
	return nil
}

// receiveBeats returns the names that were not heard by the deadline, in order.
func receiveBeats(loop *bus.Loop, from *bus.Connection, in *chembus.ChemBus, names []string, deadline time.Time) ([]string, error) {
	missing := make(map[string]struct{})
	for _, name := range names {
		missing[name] = struct{}{}
	}
	if err := loop.Watch(from); err != nil {
		return nil, err
	}
	for now := time.Now(); now.Before(deadline); now = time.Now() {
		if err := from.Update(now); err != nil {
			return nil, err
		}
		topic, payload, frames, err := from.Receive()
		if err == nil {
			if frames == 2 && string(topic) == in.HeartbeatTopic && len(payload) <= int(in.MaxMessageSize) {
				if beat, reject := bus.ParseHeartbeat(string(payload)); reject == "" {
					delete(missing, beat.Zooid)
				}
			}
			if len(missing) == 0 {
				return nil, nil
			}
			continue
		}
		if !bus.Again(err) {
			return nil, fmt.Errorf("receiving heartbeats: %w", err)
		}
		until := deadline
		if next := from.NextUpdate(); !next.IsZero() && next.Before(until) {
			until = next
		}
		if err := loop.Poll(until.Sub(now)); err != nil {
			return nil, fmt.Errorf("waiting for heartbeats: %w", err)
		}
	}
	return slices.Sorted(maps.Keys(missing)), nil
}

// timeoutError names who is missing.
func timeoutError(missing []string, timeout time.Duration, endpoint string, connected bool) error {
	var quoted []string
	for _, name := range missing[:min(len(missing), maxMissing)] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	list := strings.Join(quoted, ", ")
	if more := len(missing) - len(quoted); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	state := "on the bus at"
	if !connected {
		state = "and no connection to the bus at"
	}
	return fmt.Errorf("no heartbeat from %s within %v, %s %q", list, timeout, state, endpoint)
}

// checkWait checks the arguments of a wait.
func (a arguments) checkWait() error {
	if len(a.names) == 0 {
		return errors.New("no component to wait for: name at least one, as in telegraf-chembus wait NAME")
	}
	for _, name := range a.names {
		if !bus.ValidName(name) {
			return fmt.Errorf("%q is no name that a component can have", name)
		}
	}
	if a.timeout <= 0 {
		return fmt.Errorf("the timeout is %v; use a duration above 0 such as 60s", a.timeout)
	}
	return nil
}
