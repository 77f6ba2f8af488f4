package colony

import "fmt"

// KillTopic is the topic of the signal that ends all heartbeats on purpose.
const KillTopic = "governance.kill"

// Stop ends a zooid's heartbeats as SIGTERM does: a zooid with a Voice announces its stop. Revive starts it again.
func (c *Colony) Stop(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.end(name, "stop")
	if err != nil {
		return err
	}
	return c.announce(l, "SHUTDOWN")
}

// announce publishes the start or the stop of a zooid with a Voice, after the beats that it sent before. The caller holds mu.
func (c *Colony) announce(l *life, event string) error {
	if l.zooid.Voice == "" {
		return nil
	}
	s := Signal{Name: "VOICE." + l.zooid.Voice + "." + event, Ecosystem: "voice", Intensity: 1, TS: epoch(c.now())}
	if l.zooid.VoiceFact != "" {
		s.Facts = map[string]any{l.zooid.VoiceFact: l.zooid.Name}
	}
	return l.publisher.Publish(s)
}

// KillProcess ends all zooids of one process, without an announcement.
func (c *Colony) KillProcess(process string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := false
	for _, l := range c.members {
		if l.zooid.Process == process && !l.dead {
			l.dead, ended = true, true
		}
	}
	if process == "" || !ended {
		return fmt.Errorf("colony: cannot kill the process %q: it carries no zooid that is alive", process)
	}
	return nil
}

// KillSignal publishes the kill signal, after which all heartbeats end but those of ZooidRuntime, as if each component had
// heard it. A zooid with a stream of ZooidRuntime stays alive.
func (c *Colony) KillSignal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.publish(Signal{Name: KillTopic, Ecosystem: governance, Intensity: 1, Facts: map[string]any{"reason": "test"}})
	for _, l := range c.members {
		l.muted = true
		l.dead = l.dead || l.zooid.RuntimeStreams == 0
	}
	return err
}

// publish sends a signal of the colony itself now. The caller holds mu.
func (c *Colony) publish(s Signal) error {
	s.TS = epoch(c.now())
	return c.publishers[0].Publish(s)
}

// governance is the ecosystem of the signals of maintenance and of the kill signal.
const governance = "governance"
