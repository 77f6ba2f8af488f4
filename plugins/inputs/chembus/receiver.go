package chembus

import (
	"errors"
	"io/fs"
	"os"
	"time"

	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
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

	maintenanceUnknown logging.Problem // the file cannot be looked at
}

func newReceiver(c *ChemBus, context *zmq.Context, probeTopic string) *receiver {
	return &receiver{
		plugin:     c,
		context:    context,
		busLog:     busLog{endpoint: c.subscribeEndpoint, blindAfter: time.Duration(c.BlindAfter), log: c.Log},
		rejects:    rejectLog{log: c.Log},
		announce:   announcer{name: c.AnnounceAs, topic: c.HeartbeatTopic},
		batch:      bus.NewBatch(),
		probeTopic: probeTopic,
		// In step with the ticks, so that the probe's return is the evidence for one.
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
	if c.KillTopic != "" {
		topics = append(topics, c.KillTopic)
	}
	topics = append(topics, c.Signals...)
	if r.probeTopic != "" {
		topics = append(topics, r.probeTopic)
	}
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
	if r.out, err = bus.NewPublisher(r.context, c.publishEndpoint, c.keys, c.HeartbeatTopic); err != nil {
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
	return r.announceDue(now)
}

// wait is how long there is nothing to do unless something comes.
func (r *receiver) wait(now time.Time) time.Duration {
	next := r.nextInterval
	if due := r.announce.NextDue(); r.announcing() && due.Before(next) {
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
	for i := range n {
		topic, payload, frames := r.batch.Message(i)
		if reject := c.collector.Receive(topic, payload, frames, now); reject != "" {
			r.rejects.Add(reject, topic, payload)
		}
	}
	if c.collector.Due() {
		c.due.Signal()
	}
	return nil
}

// everyInterval does what is done once in each tick interval.
func (r *receiver) everyInterval(now time.Time) error {
	c := r.plugin
	maintenance := r.inMaintenance(now)
	c.mu.Lock()
	if maintenance {
		c.collector.clock.Suspend()
	} else {
		c.collector.clock.Resume()
	}
	if r.probeTopic == "" && r.in.Up() {
		// Without a probe being connected has to pass for evidence.
		c.collector.Evidence(now)
		c.due.Signal()
	}
	clock := c.collector.clock
	view := busView{
		observable: clock.Observable(now), connected: r.in.Up(), maintenance: maintenance, behind: clock.Behind(now),
		evidence: clock.last,
	}
	c.mu.Unlock()

	r.busLog.Update(view, now)
	r.rejects.Flush(now)
	if r.probeTopic == "" {
		return nil
	}
	probe, err := c.collector.probePayload(now)
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

// inMaintenance reports whether the file that marks maintenance exists.
func (r *receiver) inMaintenance(now time.Time) bool {
	file, log := r.plugin.MaintenanceFile, r.plugin.Log
	if file == "" {
		return false
	}
	_, err := os.Stat(file)
	switch change, _ := r.maintenanceUnknown.Update(err != nil && !errors.Is(err, fs.ErrNotExist), now); change {
	case logging.Began:
		log.Errorf("Maintenance is not noticed, because maintenance_file cannot be looked at: %v. Let the user of Telegraf search its folder", err)
	case logging.Ended:
		log.Infof("The maintenance_file %q can be looked at again", file)
	}
	return err == nil
}
