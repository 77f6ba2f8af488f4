package chembus

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// maxKeptReport is for how many beats the memory of a report is kept for the next one.
const maxKeptReport = 1000

// collector turns what comes from the bus into what is to be reported: beats, ticks, kills and signals. It knows
// neither sockets nor Telegraf, and time is passed in; the caller serialises the calls.
type collector struct {
	heartbeatTopic, killTopic, probeTopic string
	suspendTopic, resumeTopic             string
	maxMessageSize                        int

	start  time.Time
	clock  *observationClock
	parser bus.HeartbeatParser
	zooids zooids
	seed   maphash.Seed
	counts counts

	announced uint64    // hash of the own heartbeat that was published last
	returned  time.Time // when a probe or an own heartbeat came back last; zero: none did

	signals     *signals
	stops       stops
	maintenance maintenance
	copies      signalCopies  // of the messages about stops and maintenance
	resumed     time.Duration // what the observation clock showed when the last maintenance ended; -1: there was none
	suspended   time.Duration // how long that lasted

	// What waits to be reported: zooids that have not been reported in this tick interval, which go
	// at once, and those that have, which wait for the next tick.
	ready, coalesced []*zooid
	reported         []zooid // the beats of the last report
	interval         uint64  // number of the present tick interval
	ticks            tickSchedule
	taken            time.Duration // what the observation clock showed at the last Take
	ticked           time.Duration // and at the last tick
	killDue          bool
	killedAt         time.Time     // when the last kill signal came; zero: there was none
	killed           time.Duration // what the observation clock showed then
}

// counts are totals since the start.
type counts struct {
	messages, bytes        uint64
	heartbeats, duplicates uint64
	dropped                uint64 // by an overflow of the queue
	rejected               map[bus.Reject]uint64
	probes                 uint64        // that came back
	probeRoundTrip         time.Duration // of the last probe; negative before the first
}

// report is everything that has to go out, in this order: beats, stops, kill, tick, signals.
type report struct {
	beats    []zooid // in the order to report them; their recent, lag and place are not set
	stops    []stop
	kill     bool          // a kill signal came since the last report
	killed   time.Duration // what the observation clock showed at the last one
	killedAt time.Time     // zero: there was none
	tick     bool
	observed time.Duration
	holes    int
	holeList string
	at       time.Time // of the last evidence

	resumed   time.Duration // what the clock showed when the last maintenance ended; -1: there was none
	suspended time.Duration // how long that lasted

	signals []signal
}

func newCollector(c *ChemBus, probeTopic string, start time.Time) *collector {
	return &collector{
		heartbeatTopic: c.HeartbeatTopic,
		killTopic:      c.KillTopic,
		probeTopic:     probeTopic,
		suspendTopic:   c.SuspendTopic,
		resumeTopic:    c.ResumeTopic,
		maxMessageSize: int(c.MaxMessageSize),
		start:          start,
		clock:          newObservationClock(start, time.Duration(c.BlindAfter), time.Duration(c.TickInterval)),
		zooids:         newZooids(c.MaxZooids),
		signals:        newSignals(c),
		stops:          newStops(c.Stops),
		maintenance:    maintenance{limit: time.Duration(c.MaxSuspension)},
		copies:         newSignalCopies(),
		resumed:        -1,
		seed:           maphash.MakeSeed(),
		counts:         counts{rejected: make(map[bus.Reject]uint64), probeRoundTrip: -1},
		ticks:          tickSchedule{interval: time.Duration(c.TickInterval), next: start.Add(time.Duration(c.TickInterval))},
	}
}

// Receive takes one message of the connection of the heartbeats, which is valid during the call only. The reason tells
// why it was rejected; empty if it was not.
func (c *collector) Receive(m bus.Frames, now time.Time) bus.Reject {
	c.Evidence(now)
	return c.count(m, c.accept(m, now))
}

// ReceiveSignal takes one message of the connection of the signals, announced stops among them. It is no evidence:
// it says nothing about the connection of the heartbeats.
func (c *collector) ReceiveSignal(m bus.Frames, now time.Time) bus.Reject {
	return c.count(m, c.acceptSignal(m, now))
}

func (c *collector) count(m bus.Frames, reject bus.Reject) bus.Reject {
	c.counts.messages++
	c.counts.bytes += uint64(m.Size)
	if reject != "" {
		c.counts.rejected[reject]++
	}
	return reject
}

// Dropped says that messages of the connection of the heartbeats were dropped, since there was no room for them.
func (c *collector) Dropped(n int) {
	c.counts.dropped += uint64(n)
	c.clock.Overflow()
}

// Evidence says that the bus can be heard.
func (c *collector) Evidence(now time.Time) {
	before := c.clock.observed
	c.clock.Evidence(now)
	c.ticks.Evidence(c.clock.observed-before, now)
}

// malformed returns why a message is none whatever its topic.
func (c *collector) malformed(m bus.Frames) bus.Reject {
	switch {
	case m.Count != 2:
		return bus.RejectFrames
	case m.Size-len(m.Topic) > c.maxMessageSize:
		return bus.RejectOversize
	}
	return ""
}

func (c *collector) accept(m bus.Frames, now time.Time) bus.Reject {
	if reject := c.malformed(m); reject != "" {
		return reject
	}
	topic, payload := m.Topic, m.Payload // a conversion to compare costs nothing
	switch {
	case string(topic) == c.heartbeatTopic:
		return c.heartbeat(payload, now)
	case c.probeTopic != "" && string(topic) == c.probeTopic:
		c.probeReturned(string(payload), now)
	case c.killTopic != "" && string(topic) == c.killTopic:
		if _, ok := bus.ProperJSON(string(payload)); !ok {
			return bus.RejectJSON
		}
		c.killDue, c.killed, c.killedAt = true, c.clock.At(now), now
	case c.suspendTopic != "" && string(topic) == c.suspendTopic:
		return c.maintenanceSignal(string(topic), payload, now, func() { c.maintenance.Announce(now) })
	case c.resumeTopic != "" && string(topic) == c.resumeTopic:
		return c.maintenanceSignal(string(topic), payload, now, c.maintenance.Resume)
	case !c.isSignal(string(topic)): // else it begins like one of these topics, and comes by the other connection, too
		return bus.RejectTopic
	}
	return ""
}

// isSignal reports whether a topic belongs to the connection of the signals.
func (c *collector) isSignal(topic string) bool {
	_, subscribed := c.stops.Matching(topic)
	return subscribed || c.signals.topics[topic]
}

func (c *collector) acceptSignal(m bus.Frames, now time.Time) bus.Reject {
	if reject := c.malformed(m); reject != "" {
		return reject
	}
	topic := string(m.Topic)
	switch topic {
	case c.heartbeatTopic, c.killTopic, c.suspendTopic, c.resumeTopic:
		return "" // begins like one of the signals, and comes by the connection of the heartbeats, too
	}
	if c.signals.topics[topic] {
		reject, copied := c.signals.Receive(topic, m.Payload, now)
		if copied {
			c.counts.duplicates++
		}
		return reject
	}
	return c.stop(topic, m.Payload, now)
}

// maintenanceSignal takes a signal that begins or ends maintenance.
func (c *collector) maintenanceSignal(topic string, payload []byte, now time.Time, apply func()) bus.Reject {
	_, copied, reject := c.announcement(topic, payload, now)
	if reject == "" && !copied {
		apply()
		c.followMaintenance(now)
	}
	return reject
}

// stop takes a message by which a component announces its stop, or that no subscription is meant for.
func (c *collector) stop(topic string, payload []byte, now time.Time) bus.Reject {
	blocks, subscribed := c.stops.Matching(topic)
	if len(blocks) == 0 {
		if subscribed {
			return "" // the subscription of a glob brings along whatever begins like it
		}
		return bus.RejectTopic
	}
	m, copied, reject := c.announcement(topic, payload, now)
	if reject != "" || copied {
		return reject
	}
	// What the clock shows now, not when the stop came: it has waited for the beats before it, and a tick may have been
	// emitted meanwhile. A stop of before a tick would be taken for a copy.
	return c.stops.Add(blocks, &m, c.clock.observed, now)
}

// announcement reads a message that says what will happen. Its second copy must not be taken for a new one.
func (c *collector) announcement(topic string, payload []byte, now time.Time) (m bus.Received, copied bool, reject bus.Reject) {
	m, ok := bus.ParseMessage(string(payload))
	if !ok {
		return m, false, bus.RejectJSON
	}
	if copied = c.copies.Copied(topic, payload, !math.IsNaN(m.TS), now); copied {
		c.counts.duplicates++
	}
	return m, copied, ""
}

// EveryInterval is to be called in each tick interval. It takes whether the file that marks maintenance exists, and reports
// whether a maintenance has lasted for as long as it may.
func (c *collector) EveryInterval(marked bool, now time.Time) (expired bool) {
	c.maintenance.Mark(marked, now)
	expired = c.maintenance.Expire(now)
	c.followMaintenance(now)
	return expired
}

// followMaintenance makes the clock stand still during maintenance.
func (c *collector) followMaintenance(now time.Time) {
	switch {
	case c.maintenance.Active():
		c.clock.Suspend()
	case c.clock.suspended:
		c.clock.Resume()
		c.resumed, c.suspended = c.clock.observed, now.Sub(c.maintenance.since)
	}
}

func (c *collector) heartbeat(payload []byte, now time.Time) bus.Reject {
	// What is to be kept of it is cloned.
	text := unsafe.String(unsafe.SliceData(payload), len(payload)) //nolint:gosec // a copy of each payload costs as much as reading it
	beat, reject := c.parser.Parse(text)
	if reject != "" {
		return reject
	}
	z := c.zooids.Hear(beat.Zooid, now, c.clock.observed)
	if z == nil {
		return bus.RejectMaxZooids
	}
	hash := maphash.Bytes(c.seed, payload)
	if hash == c.announced {
		c.returned = now
	}
	if z.recent.IsCopy(hash, beat.Sent, now.Sub(c.start)) {
		c.counts.duplicates++
		z.starts++
	} else {
		c.counts.heartbeats++
		if beat.Niche == z.niche {
			beat.Niche = z.niche // the payload need not stay in memory for it
		} else {
			beat.Niche = strings.Clone(beat.Niche)
		}
		z.beat(beat, c.clock, now, c.start)
	}
	if !z.dirty {
		z.dirty = true
		if z.reportedIn == c.interval+1 {
			c.coalesced = append(c.coalesced, z)
		} else {
			c.ready = append(c.ready, z)
		}
	}
	return ""
}

// Announced says that this own heartbeat was published.
func (c *collector) Announced(payload []byte) {
	c.announced = maphash.Bytes(c.seed, payload)
}

// probeFacts is what a probe carries.
type probeFacts struct {
	SentNS *int64 `json:"sent_ns"` // when it was sent, in nanoseconds since the start of the input
}

// probePayload returns a probe to send now.
func (c *collector) probePayload(now time.Time) ([]byte, error) {
	return bus.Message{
		Signal:    c.probeTopic,
		Ecosystem: ecosystem,
		Intensity: 1,
		Facts:     map[string]any{"sent_ns": now.Sub(c.start).Nanoseconds()},
		TS:        bus.Float(bus.EpochSeconds(now)),
	}.Encode()
}

func (c *collector) probeReturned(payload string, now time.Time) {
	var facts probeFacts
	m, ok := bus.ParseMessage(payload)
	if !ok || m.DecodeFacts(&facts) != nil || facts.SentNS == nil {
		return
	}
	sent := time.Duration(*facts.SentNS)
	if roundTrip := now.Sub(c.start) - sent; sent >= 0 && roundTrip >= 0 {
		c.counts.probes++
		c.counts.probeRoundTrip = roundTrip
		c.returned = now
		c.clock.ProbeReturned(c.start.Add(sent))
	}
}

// Due reports whether there is anything to take.
func (c *collector) Due() bool {
	return len(c.ready) > 0 || c.killDue || c.ticks.due || c.stops.Due() || c.signals.Due()
}

// Take returns what has to be reported and marks it as reported. Its beats are valid until the next call. A tick, a
// stop, and a kill, is preceded by every beat heard before it; a tick's observed time is that of now, since the beats may
// be of now. A kill is followed by a tick, so that whoever misses it learns it from the next one soon.
func (c *collector) Take() report {
	due := c.ready
	if c.ticks.due || c.killDue || c.stops.Due() {
		due = append(due, c.coalesced...)
		clear(c.coalesced)
		c.coalesced = c.coalesced[:0]
	}
	// What the beats change need not wait for the next second. While beats are held back it does: a tick before them
	// would pass the time at which they were sent, and a component that beats could look silent.
	extra := len(due) > 0 && len(c.coalesced) == 0 && c.clock.observed-c.ticked >= extraTickInterval && !c.clock.last.Before(c.ticks.caughtUp)
	if len(due) > cap(c.reported) || cap(c.reported) > maxKeptReport {
		c.reported = make([]zooid, len(due))
	}
	r := report{
		beats: c.reported[:len(due)],
		stops: c.stops.Take(),
		kill:  c.killDue, killed: c.killed, killedAt: c.killedAt,
		tick: c.ticks.due || c.killDue || extra, observed: c.clock.observed, at: c.clock.last,
		resumed: c.resumed, suspended: c.suspended,
		signals: c.signals.Take(),
	}
	if r.tick {
		r.holes, r.holeList = c.clock.holeCount, holeList(c.clock.holes)
	}
	for i, z := range due {
		r.beats[i] = *z
		r.beats[i].recent, r.beats[i].lag, r.beats[i].place = recentBeats{}, lagEstimate{}, nil
		z.beats, z.starts, z.dirty = 0, 0, false
		z.reportedIn = c.interval + 1
	}
	// In this order no beat moves the clock of the processor past one that was sent earlier.
	slices.SortStableFunc(r.beats, func(a, b zooid) int { return cmp.Compare(a.observed, b.observed) })
	if n := len(r.beats); n > 0 && r.beats[n-1].observed-c.taken > c.clock.blindAfter {
		// After a stall that is not enough: the beats of rare senders, in small steps, would move it past
		// those of busy ones that were merged into a later one. With the latest beat first it jumps,
		// and that time is not counted as silence. A beat that does not make it jump must not come first.
		// The blind_after of the processor is no longer than this one.
		slices.Reverse(r.beats)
	}
	c.taken = r.observed
	if r.tick {
		c.ticked = r.observed
	}
	clear(due)
	c.ready = due[:0]
	if c.ticks.due {
		c.interval++
	}
	c.ticks.due, c.killDue = false, false
	return r
}
