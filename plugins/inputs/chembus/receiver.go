package chembus

import (
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// gather is how long messages gather on a busy bus before they are taken in: to be woken for each by itself
	// takes much longer than to take it in. Busy is a bus on which less than busyGap passes between them.
	gather  = 5 * time.Millisecond
	busyGap = 50 * time.Millisecond
	// retryAfter is the pause before sockets that failed are opened again.
	retryAfter = time.Second
	// socketSizeFactor is how much more than max_message_size a socket accepts. What is between is
	// counted and dropped; what is larger still makes ZeroMQ cut the connection before it can take
	// memory, and it has to be made again.
	socketSizeFactor = 64
)

// receiver owns the sockets of the plugin. Everything in it belongs to the goroutine in run.
type receiver struct {
	plugin   *ChemBus
	context  *zmq.Context
	busLog   busLog
	rejects  rejectLog
	announce announcer
	marker   marker
	probes   probeSchedule
	ports    portHint

	in           *bus.Connection
	losses       uint64          // of connections that were closed since
	out          *bus.Connection // nil: nothing is published
	poller       *zmq.Poller
	batch        *bus.Batch
	received     int       // messages, in the last step
	receivedAt   time.Time // when there were some last
	busy         bool      // hardly any time passed between them
	probeTopic   string    // empty: no probe
	nextInterval time.Time
}

func newReceiver(c *ChemBus, context *zmq.Context, probeTopic string) *receiver {
	return &receiver{
		plugin:     c,
		context:    context,
		busLog:     busLog{endpoint: c.subscribeEndpoint, blindAfter: time.Duration(c.BlindAfter), log: c.Log},
		rejects:    rejectLog{log: c.Log},
		announce:   announcer{name: c.AnnounceAs, topic: c.HeartbeatTopic},
		marker:     newMarker(c),
		probes:     probeSchedule{interval: time.Duration(c.TickInterval)},
		ports:      portHint{subscribe: c.defaultSubscribe, publish: c.defaultPublish, started: c.collector.start, log: c.Log},
		batch:      bus.NewBatch(),
		probeTopic: probeTopic,

		nextInterval: c.collector.start,
	}
}

// run listens until the plugin stops.
func (r *receiver) run() {
	defer r.plugin.waker.CloseReceiver()
	defer r.batch.Free()
	for {
		err := r.open()
		for err == nil && !r.stopped() {
			err = r.step()
		}
		r.close()
		if r.stopped() {
			return
		}
		// ZeroMQ itself handles every fault of the network; this is something like too many open
		// files.
		r.plugin.Log.Errorf("Listening on %q failed, trying again in %v: %v", r.plugin.subscribeEndpoint, retryAfter, err)
		select {
		case <-r.plugin.done:
			return
		case <-time.After(retryAfter):
		}
	}
}

func (r *receiver) stopped() bool {
	select {
	case <-r.plugin.done:
		return true
	default:
		return false
	}
}

func (r *receiver) open() error {
	c := r.plugin
	topics := []string{c.HeartbeatTopic}
	topics = append(topics, c.Signals...)
	for _, block := range c.Stops {
		topics = append(topics, block.prefix)
	}
	for _, topic := range []string{c.KillTopic, c.SuspendTopic, c.ResumeTopic, r.probeTopic} {
		if topic != "" {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	topics = slices.Compact(topics) // blocks may share a prefix
	var err error
	if r.in, err = bus.NewSubscriber(r.context, c.subscribeEndpoint, c.keys, socketSizeFactor*int64(c.MaxMessageSize), topics...); err != nil {
		return err
	}
	r.poller = zmq.NewPoller()
	r.poller.Add(c.waker.Socket(), zmq.POLLIN)
	r.in.AddTo(r.poller)
	if c.publishEndpoint == "" {
		return nil
	}
	if r.out, err = bus.NewPublisher(r.context, c.publishEndpoint, c.keys, c.HeartbeatTopic, r.probeTopic); err != nil {
		return err
	}
	r.out.AddTo(r.poller)
	return nil
}

func (r *receiver) close() {
	if r.in != nil {
		r.losses += r.in.Losses()
		r.in.Close(0)
	}
	if r.out != nil {
		r.out.Close(0)
	}
	r.in, r.out = nil, nil
	r.plugin.mu.Lock()
	r.plugin.connected = false
	r.plugin.mu.Unlock()
}

// step waits for the bus or for the time to do something, and does it.
func (r *receiver) step() error {
	if !r.batch.Full() { // else more may wait
		if r.received > 0 && r.busy {
			time.Sleep(gather)
		}
		if _, err := r.poller.Poll(r.wait(time.Now())); err != nil && !bus.Again(err) {
			return err
		}
	}
	now := time.Now()
	if err := r.in.Update(now); err != nil {
		return err
	}
	if err := r.receive(now); err != nil {
		return err
	}
	if r.out != nil {
		if err := r.out.Update(now); err != nil {
			return err
		}
	}
	if !now.Before(r.nextInterval) {
		interval := time.Duration(r.plugin.TickInterval)
		r.nextInterval = r.nextInterval.Add((now.Sub(r.nextInterval)/interval + 1) * interval)
		if err := r.everyInterval(now); err != nil {
			return err
		}
	}
	if err := r.probeDue(now); err != nil {
		return err
	}
	return r.announceDue(now)
}

// wait is how long there is nothing to do unless something comes.
func (r *receiver) wait(now time.Time) time.Duration {
	next := r.nextInterval
	if due := r.announce.NextDue(); r.announcing() && due.Before(next) {
		next = due
	}
	if due := r.probes.Due(); r.probing() && due.Before(next) {
		next = due
	}
	for _, connection := range []*bus.Connection{r.in, r.out} {
		if connection == nil {
			continue
		}
		if due := connection.NextUpdate(); !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	// Poll counts in whole milliseconds; rounding up keeps it from spinning through the last one.
	return max(next.Sub(now)+time.Millisecond-1, 0)
}

// receive takes in what waits, up to one batch: then others get the lock.
func (r *receiver) receive(now time.Time) error {
	n, err := r.batch.Receive(r.in)
	if err != nil && !bus.Again(err) {
		return err
	}
	if r.received = n; n > 0 {
		r.busy = now.Sub(r.receivedAt) < busyGap
		r.receivedAt = now
	}
	c := r.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected, c.disconnects = r.in.Up(), r.losses+r.in.Losses()
	c.collector.clock.Backlog(r.batch.Full(), now)
	r.probes.backlog = r.batch.Full()
	probes := c.collector.counts.probes
	for i := range n {
		topic, payload, frames := r.batch.Message(i)
		if reject := c.collector.Receive(topic, payload, frames, now); reject != "" {
			r.rejects.Add(reject, topic, payload)
		}
	}
	if uint64(n) > c.collector.counts.probes-probes {
		r.probes.heard = now
	}
	if c.collector.Due() {
		c.due.Signal()
	}
	return nil
}

// everyInterval does what is done once in each tick interval.
func (r *receiver) everyInterval(now time.Time) error {
	c := r.plugin
	marked := r.marker.Exists(now)
	c.mu.Lock()
	expired := c.collector.Marker(marked, now)
	if r.probeTopic == "" && r.in.Up() {
		// Without a probe being connected has to pass for evidence.
		c.collector.Evidence(now)
		c.due.Signal()
	}
	clock := c.collector.clock
	view := busView{
		observable: clock.Observable(now), connected: r.in.Up(), maintenance: c.collector.maintenance.Active(), behind: clock.Behind(now),
		evidence: clock.last,
	}
	c.mu.Unlock()

	if expired {
		c.Log.Warnf("Maintenance of the bus at %q has lasted for max_suspension (%v), so missing heartbeats are reported again. "+
			"If it is over, publish %q and remove %q; if it goes on, publish %q again, or remove the file and make it anew",
			c.subscribeEndpoint, time.Duration(c.MaxSuspension), c.ResumeTopic, c.MaintenanceFile, c.SuspendTopic)
	}
	r.busLog.Update(view, now)
	r.ports.Update(r.in.Up(), r.out == nil || r.out.Up(), now)
	r.rejects.Flush(now)
	return nil
}

// probing reports whether probes are to be sent and would come back. Before the plugin's own subscription has reached
// the publisher, and while the bus is away, they would not.
func (r *receiver) probing() bool {
	return r.probeTopic != "" && r.out.Listeners.Has(r.probeTopic)
}

func (r *receiver) probeDue(now time.Time) error {
	if !r.probing() || now.Before(r.probes.Due()) {
		return nil
	}
	r.probes.Sent(now)
	probe, err := r.plugin.collector.probePayload(now)
	if err != nil {
		return err
	}
	return r.publish(r.probeTopic, probe)
}

// announcing reports whether own heartbeats are to be sent and somebody would hear them.
func (r *receiver) announcing() bool {
	return r.out != nil && r.announce.name != "" && r.out.Listeners.Covers(r.plugin.HeartbeatTopic)
}

func (r *receiver) announceDue(now time.Time) error {
	if !r.announcing() {
		return nil
	}
	r.plugin.mu.Lock()
	heard := r.plugin.collector.counts.heartbeats
	r.plugin.mu.Unlock()
	payload := r.announce.Due(now, now.Sub(r.plugin.collector.start), heard)
	if payload == nil {
		return nil
	}
	return r.publish(r.plugin.HeartbeatTopic, payload)
}

// publish sends what is of no use later, so what the bus does not take now is dropped.
func (r *receiver) publish(topic string, payload []byte) error {
	if err := r.out.Publish(topic, payload); !bus.Again(err) {
		return err
	}
	return nil
}
