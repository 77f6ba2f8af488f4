package chembus

import (
	"slices"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// gather is how long messages gather on a busy bus before they are taken in: to be woken for each by itself
	// takes much longer than to take it in. Busy is a bus on which less than busyGap passes between them. When enough
	// come at a time they need not gather.
	gather  = 10 * time.Millisecond
	busyGap = 50 * time.Millisecond
	enough  = 250
	// reprobe is how long after a connection was made again a probe is sent. The bus has its subscription then.
	reprobe = 50 * time.Millisecond
)

// receiver owns the sockets of the plugin. Everything in it belongs to the goroutine of the loop.
type receiver struct {
	plugin     *ChemBus
	busLog     busLog
	publishLog bus.PublishLog
	rejects    rejectLog
	announce   announcer
	marker     marker
	probes     probeSchedule
	ports      portHint

	// Heartbeats have a connection of their own, with what must keep its order with them: the kill signal, maintenance
	// and the probe. So no message on a topic that is freely configured can cut it.
	beats        *hearing
	signals      *hearing        // signals and announced stops; nil: there are none
	out          *bus.Connection // nil: nothing is published
	received     int             // messages, in the last step
	receivedAt   time.Time       // when there were some last
	busy         bool            // hardly any time passed between them
	probeTopic   string          // empty: no probe
	nextInterval time.Time
}

func newReceiver(c *ChemBus, probeTopic string) *receiver {
	r := &receiver{
		plugin:     c,
		busLog:     busLog{endpoint: c.subscribeEndpoint, blindAfter: time.Duration(c.BlindAfter), log: c.Log},
		publishLog: bus.PublishLog{PublishEndpoint: c.publishEndpoint, SubscribeEndpoint: c.subscribeEndpoint, Log: c.Log},
		rejects:    rejectLog{log: c.Log},
		announce:   announcer{name: c.AnnounceAs, topic: c.HeartbeatTopic},
		marker:     newMarker(c),
		probes:     probeSchedule{interval: time.Duration(c.TickInterval)},
		ports:      portHint{subscribe: c.defaultSubscribe, publish: c.defaultPublish, started: c.collector.start, log: c.Log},
		probeTopic: probeTopic,

		nextInterval: c.collector.start,
	}
	limit := int(c.PendingBytesLimit)
	topics := slices.Clone(c.Signals)
	for _, block := range c.Stops {
		topics = append(topics, block.prefix)
	}
	if len(topics) > 0 {
		r.signals = newHearing(c, "signals", "heartbeats are not affected", limit/signalsShare, topics...)
		limit -= limit / signalsShare
	}
	r.beats = newHearing(c, "heartbeats", "that time is not counted as silence", limit,
		c.HeartbeatTopic, c.KillTopic, c.SuspendTopic, c.ResumeTopic, probeTopic)
	return r
}

// start begins to listen.
func (r *receiver) start() {
	r.plugin.loop.Start(r, func(err error) {
		r.plugin.Log.Errorf("Listening on %q failed, trying again in %v: %v", r.plugin.subscribeEndpoint, bus.RetryAfter, err)
	})
}

// Open opens the connections.
func (r *receiver) Open() error {
	c := r.plugin
	for _, h := range r.hearings() {
		if err := h.open(c); err != nil {
			return err
		}
	}
	if c.publishEndpoint != "" {
		var err error
		if r.out, err = bus.NewPublisher(c.loop.Context, c.publishEndpoint, c.keys, c.HeartbeatTopic, r.probeTopic); err != nil {
			return err
		}
	}
	return c.loop.Watch(r.connections()...)
}

// connections returns those that are open.
func (r *receiver) connections() []*bus.Connection {
	open := []*bus.Connection{r.out}
	for _, h := range r.hearings() {
		open = append(open, h.connection)
	}
	return slices.DeleteFunc(open, func(c *bus.Connection) bool { return c == nil })
}

// Close closes what is open. What was received and not read yet is read after the next Open, if there is one.
func (r *receiver) Close() {
	for _, h := range r.hearings() {
		h.close()
		if r.plugin.loop.Stopping() {
			h.queue.Free()
		}
	}
	r.out.Close(0)
	r.out = nil
	r.plugin.mu.Lock()
	r.plugin.connected = false
	r.plugin.collector.clock.Lose()
	r.plugin.mu.Unlock()
}

// Step waits for the bus or for the time to do something, and does it.
func (r *receiver) Step() error {
	if !r.ready(time.Now()) {
		if r.busy && r.received > 0 && r.received < enough {
			time.Sleep(gather)
		}
		if err := r.plugin.loop.Poll(r.wait(time.Now())); err != nil {
			return err
		}
	}
	r.received = 0
	for _, h := range r.hearings() {
		if err := h.receive(); err != nil {
			return err
		}
		r.received += h.received
	}
	now := time.Now()
	if r.received > 0 {
		r.busy = now.Sub(r.receivedAt) < busyGap
		r.receivedAt = now
	}
	r.read(now)
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
	for _, connection := range r.connections() {
		if due := connection.NextUpdate(); !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	if r.signals != nil && r.signals.queue.Head() != nil {
		if due := r.signals.queue.Head().Arrived.Add(signalsWait); due.Before(next) {
			next = due
		}
	}
	return next.Sub(now)
}

// everyInterval does what is done once in each tick interval.
func (r *receiver) everyInterval(now time.Time) error {
	c := r.plugin
	marked := r.marker.Exists(now)
	c.mu.Lock()
	expired := c.collector.EveryInterval(marked, now)
	if r.beats.empty() { // else both would be ahead of what is not read yet
		if r.probeTopic == "" && r.beats.connection.Up() {
			c.collector.Evidence(now) // without a probe being connected has to pass for it
		}
		c.collector.ticks.Release(now)
	}
	if c.collector.Due() {
		c.due.Signal()
	}
	clock := c.collector.clock
	view := busView{
		observable: clock.Observable(now), connected: r.beats.connection.Up(), maintenance: c.collector.maintenance.Active(),
		behind: clock.Overloaded(now) || !r.beats.empty(), evidence: clock.last,
	}
	returned := c.collector.returned
	c.mu.Unlock()

	if expired {
		c.Log.Warnf("Maintenance of the bus at %q has lasted for max_suspension (%v), so missing heartbeats are reported again. "+
			"If it is over, publish resume_topic, %q, and remove maintenance_file, %q; if it goes on, publish suspend_topic, %q, again, "+
			"or remove the file and make it anew",
			c.subscribeEndpoint, time.Duration(c.MaxSuspension), c.ResumeTopic, c.MaintenanceFile, c.SuspendTopic)
	}
	r.busLog.Update(view, now)
	r.ports.Update(view.connected, r.out == nil || r.out.Up(), now)
	for _, h := range r.hearings() {
		losses, refusals := h.totals()
		h.log.Update(losses, refusals, h.droppedTotal, now)
	}
	if r.out != nil && view.connected && !view.maintenance { // else busLog says that nothing can be heard
		r.publishLog.Update(bus.PublishView{
			Effect: "The plugin's own heartbeat and probe cannot be published", Returned: returned,
			Up: r.out.Up(), Refusals: r.out.Refusals(), Hears: true,
		}, now)
	}
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
	r.plugin.mu.Lock()
	r.plugin.collector.Announced(payload)
	r.plugin.mu.Unlock()
	return r.publish(r.plugin.HeartbeatTopic, payload)
}

// publish sends what is of no use later, so what the bus does not take now is dropped.
func (r *receiver) publish(topic string, payload []byte) error {
	if err := r.out.Publish(topic, payload); !bus.Again(err) {
		return err
	}
	return nil
}
