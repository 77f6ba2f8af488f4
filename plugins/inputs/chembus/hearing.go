package chembus

import (
	"slices"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// socketSizeFactor is how much more than max_message_size a socket accepts. What is between is counted and dropped;
	// what is larger still makes ZeroMQ cut the connection before it can take memory, and it has to be made again.
	socketSizeFactor = 64
	// maxBatches bounds what is received before some of it is read.
	maxBatches = 64
)

// hearing is a connection on which the plugin hears some topics, with what was received on it and not read yet. It
// belongs to the receiver's goroutine.
type hearing struct {
	topics     []string
	connection *bus.Connection // nil: it is not open
	queue      *bus.Queue
	log        lossLog

	more             bool // may wait at the socket
	received         int  // messages that were last received
	dropped          int  // and those there was no room for
	droppedTotal     uint64
	losses, refusals uint64 // of connections that were closed
	lost             bool   // the connection is, or what was received on the former one is not read yet
}

// newHearing returns one that is not open, whose queue holds up to limit bytes. What is heard on it, and the effect of
// missing some, is for the log. Topics may be empty or repeated.
func newHearing(c *ChemBus, what, effect string, limit int, topics ...string) *hearing {
	topics = slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return topic == "" })
	slices.Sort(topics)
	return &hearing{
		topics: slices.Compact(topics),
		queue:  bus.NewQueue(limit, int(c.MaxMessageSize)),
		log: lossLog{
			what: what, effect: effect, endpoint: c.subscribeEndpoint, socketSize: socketSizeFactor * int64(c.MaxMessageSize), log: c.Log,
		},
	}
}

func (h *hearing) open(c *ChemBus) (err error) {
	h.connection, err = bus.NewSubscriber(c.loop.Context, c.subscribeEndpoint, c.keys, socketSizeFactor*int64(c.MaxMessageSize), h.topics...)
	if err == nil {
		h.connection.OnLoss = func() { h.lost = true }
	}
	return err
}

// close closes the connection, if it is open. What was received can still be read.
func (h *hearing) close() {
	h.lost, h.more = true, false
	if h.connection == nil {
		return
	}
	h.losses += h.connection.Losses()
	h.refusals += h.connection.Refusals()
	h.connection.Close(0)
	h.connection = nil
}

// receive takes in what waits at the socket, and then what happened to the connection: so what was sent after a loss
// cannot pass for heard before it.
func (h *hearing) receive() error {
	h.received, h.dropped, h.more = 0, 0, true
	for n := 0; n < maxBatches && h.more; n++ {
		b, err := h.queue.Fill(h.connection)
		if bus.Again(err) {
			h.more = false
			break
		}
		if err != nil {
			return err
		}
		b.Arrived = time.Now() // afterwards, so that nothing arrives before it was sent
		h.received += b.Len()
		h.dropped += b.Dropped()
		h.more = b.Full()
	}
	h.droppedTotal += uint64(h.dropped)
	return h.connection.Update(time.Now())
}

// empty reports whether everything that had come was read.
func (h *hearing) empty() bool {
	return !h.more && h.queue.Head() == nil
}

// backlog reports whether so much was received that the socket may have been full, so that more waited before it.
func (h *hearing) backlog() bool {
	return h.more || h.received >= bus.ReceiveHighWaterMark/2
}

// regained reports, once after a loss, that what is received from now on comes by a new connection.
func (h *hearing) regained() bool {
	if !h.lost || !h.connection.Up() || !h.empty() {
		return false
	}
	h.lost = false
	return true
}

// totals returns how often the connection was lost, and how often ZeroMQ had cut it.
func (h *hearing) totals() (losses, refusals uint64) {
	if h.connection == nil {
		return h.losses, h.refusals
	}
	return h.losses + h.connection.Losses(), h.refusals + h.connection.Refusals()
}
