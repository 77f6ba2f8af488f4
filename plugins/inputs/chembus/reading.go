package chembus

import "time"

const (
	// readSize bounds what is read before more is received, in bytes. Of usual messages that is more than waits in a
	// socket, so that a flood of them makes the bus wait, as ever, rather than fill the queue; of large ones it is little.
	readSize = 1 << 20
	// signalsWait is how long what came on the connection of the signals waits at least before it is read: beats that were
	// sent before an announced stop come by that of the heartbeats.
	signalsWait = 20 * time.Millisecond
	// overtaken is how much later a beat must have come to be read after it.
	overtaken = time.Second
)

// hearings returns the connections on which something is heard, that of the signals first: what is received on it is
// read after what was received on the other until then.
func (r *receiver) hearings() []*hearing {
	if r.signals == nil {
		return []*hearing{r.beats}
	}
	return []*hearing{r.signals, r.beats}
}

// ready reports whether there is something to receive or read at once.
func (r *receiver) ready(now time.Time) bool {
	return !r.beats.empty() || r.signals != nil && (r.signals.more || r.next(now) != nil)
}

// next returns of which connection something is to be read; nil for none. Beats come first, so that no flood of signals
// delays them. What came on the connection of the signals waits for all beats that came before it, and for those that came
// less than overtaken after it.
func (r *receiver) next(now time.Time) *hearing {
	beats := r.beats.queue.Head()
	if r.signals != nil {
		signal := r.signals.queue.Head()
		switch {
		case signal == nil:
		case beats == nil && now.Sub(signal.Arrived) >= signalsWait, beats != nil && beats.Arrived.Sub(signal.Arrived) >= overtaken:
			return r.signals
		}
	}
	if beats == nil {
		return nil
	}
	return r.beats
}

// read reads some of what was received, and takes in what happened to the connections. Then others get the lock.
func (r *receiver) read(now time.Time) {
	c := r.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.collector
	c.connected = r.beats.connection.Up()
	c.disconnects, _ = r.beats.totals()
	s.clock.Backlog(r.beats.backlog(), now)
	if r.beats.lost {
		s.clock.Lose()
	}
	if r.beats.dropped > 0 {
		s.Dropped(r.beats.dropped)
	}
	if r.signals != nil {
		c.signalsDisconnects, _ = r.signals.totals()
		s.signals.dropped += uint64(r.signals.dropped)
	}
	probes, messages := s.counts.probes, 0
	for size := 0; size < readSize; {
		h := r.next(now)
		if h == nil {
			break
		}
		batch, receive := h.queue.Head(), s.ReceiveSignal
		if h == r.beats {
			receive = s.Receive
			messages += batch.Len()
		}
		for i := range batch.Len() {
			m := batch.Message(i)
			if reject := receive(m, batch.Arrived); reject != "" {
				r.rejects.Add(reject, m)
			}
			size += len(m.Topic) + len(m.Payload)
		}
		h.queue.Done()
	}
	if uint64(messages) > s.counts.probes-probes {
		r.probes.heard = now
	}
	r.probes.backlog = r.beats.backlog() || !r.beats.empty()
	if r.beats.empty() && r.beats.dropped == 0 {
		s.clock.CaughtUp()
	}
	if r.beats.regained() {
		s.clock.Regain()
		r.probes.Soon(now.Add(reprobe))
	}
	if s.Due() {
		c.due.Signal()
	}
}
