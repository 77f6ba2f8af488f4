package chembus

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"
	"unsafe"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// forgetAfter is how long a zooid must have been unheard of to make room in a full table.
	forgetAfter = time.Hour
	// sweepInterval bounds how often a full table is searched for room.
	sweepInterval = time.Minute
)

// sensor turns what comes from the bus into what is to be reported. It knows neither sockets nor
// Telegraf, and time is passed in; the caller serialises the calls.
type sensor struct {
	heartbeatTopic, killTopic, probeTopic string
	maxMessageSize, maxZooids             int
	tickInterval                          time.Duration

	start  time.Time
	clock  *observationClock
	zooids map[string]*zooid
	swept  time.Time
	seed   maphash.Seed
	counts counts

	backlogSince time.Time     // when more began to wait than was taken in; zero: nothing waits
	probeSent    time.Duration // when the last probe that came back was, since the start

	signals *signals

	// What waits to be reported: zooids that have not been reported in this tick interval, which go
	// at once, and those that have, which wait for the next tick.
	ready, coalesced []*zooid
	interval         uint64 // number of the present tick interval
	nextTick         time.Time
	tickDue          bool
	taken            time.Duration // what the observation clock showed at the last Take
	killDue          bool
	killed           time.Duration // what the observation clock showed at the last kill signal
	killedAt         time.Time
}

// counts are totals since the start.
type counts struct {
	messages, bytes        uint64
	heartbeats, duplicates uint64
	rejected               map[bus.Reject]uint64
	probeRoundTrip         time.Duration // of the last probe; negative before the first
}

// report is everything that has to go out, in this order: beats, kill, tick, signals.
type report struct {
	beats    []zooid // in the order to report them; their recent and lag are not set
	kill     bool
	killed   time.Duration
	killedAt time.Time
	tick     bool
	observed time.Duration
	at       time.Time // of the last evidence
	signals  []signal
}

func newSensor(c *ChemBus, probeTopic string, start time.Time) *sensor {
	return &sensor{
		heartbeatTopic: c.HeartbeatTopic,
		killTopic:      c.KillTopic,
		probeTopic:     probeTopic,
		maxMessageSize: int(c.MaxMessageSize),
		maxZooids:      c.MaxZooids,
		tickInterval:   time.Duration(c.TickInterval),
		start:          start,
		clock:          newObservationClock(start, time.Duration(c.BlindAfter)),
		zooids:         make(map[string]*zooid),
		signals:        newSignals(c),
		seed:           maphash.MakeSeed(),
		counts:         counts{rejected: make(map[bus.Reject]uint64), probeRoundTrip: -1},
		nextTick:       start.Add(time.Duration(c.TickInterval)),
	}
}

// Receive takes one message of the bus, which is valid during the call only. The reason tells why it was
// rejected; empty if it was not.
func (s *sensor) Receive(topic, payload []byte, frames int, now time.Time) bus.Reject {
	s.Evidence(now)
	s.counts.messages++
	s.counts.bytes += uint64(len(topic) + len(payload))
	reject := s.accept(topic, payload, frames, now)
	if reject != "" {
		s.counts.rejected[reject]++
	}
	return reject
}

// Backlog says whether more waits behind what is received at this time.
func (s *sensor) Backlog(more bool, now time.Time) {
	switch {
	case !more:
		s.backlogSince = time.Time{}
	case s.backlogSince.IsZero():
		s.backlogSince = now
	}
}

// Behind reports whether what is received now may have waited for so long that it says nothing of now: there has always
// been more for a while, and the probes do not show that it is taken in fast enough.
func (s *sensor) Behind(now time.Time) bool {
	return !s.backlogSince.IsZero() && now.Sub(s.backlogSince) > s.clock.blindAfter &&
		now.Sub(s.start)-s.probeSent > s.clock.blindAfter+s.tickInterval
}

// Evidence says that the bus can be heard, unless the sensor is behind.
func (s *sensor) Evidence(now time.Time) {
	if !s.Behind(now) {
		s.clock.Evidence(now)
	}
	if !now.Before(s.nextTick) {
		s.tickDue = true
		missed := now.Sub(s.nextTick) / s.tickInterval
		s.nextTick = s.nextTick.Add((missed + 1) * s.tickInterval)
	}
}

func (s *sensor) accept(topic, payload []byte, frames int, now time.Time) bus.Reject {
	switch {
	case frames != 2:
		return bus.RejectFrames
	case string(topic) == s.heartbeatTopic:
		if len(payload) > s.maxMessageSize {
			return bus.RejectOversize
		}
		return s.heartbeat(payload, now)
	case s.probeTopic != "" && string(topic) == s.probeTopic:
		s.probeReturned(string(payload), now)
	case s.killTopic != "" && string(topic) == s.killTopic:
		if len(payload) > s.maxMessageSize {
			return bus.RejectOversize
		}
		if _, ok := bus.ProperJSON(string(payload)); !ok {
			return bus.RejectJSON
		}
		s.killDue, s.killed, s.killedAt = true, s.clock.At(now), now
	case s.signals.topics[string(topic)]:
		reject, copied := s.signals.Receive(string(topic), payload, now)
		if copied {
			s.counts.duplicates++
		}
		return reject
	default:
		return bus.RejectTopic
	}
	return ""
}

func (s *sensor) heartbeat(payload []byte, now time.Time) bus.Reject {
	// What is to be kept of it is cloned.
	beat, reject := bus.ParseHeartbeat(unsafe.String(unsafe.SliceData(payload), len(payload)))
	if reject != "" {
		return reject
	}
	z, known := s.zooids[beat.Zooid]
	if !known {
		if len(s.zooids) >= s.maxZooids && !s.makeRoom(now) {
			return bus.RejectMaxZooids
		}
		z = &zooid{name: strings.Clone(beat.Zooid)}
		s.zooids[z.name] = z
	}
	z.heard = now
	if z.recent.IsCopy(maphash.Bytes(s.seed, payload), beat.Sent, now.Sub(s.start)) {
		s.counts.duplicates++
		z.starts++
	} else {
		s.counts.heartbeats++
		if beat.Niche == z.niche {
			beat.Niche = z.niche // the payload need not stay in memory for it
		} else {
			beat.Niche = strings.Clone(beat.Niche)
		}
		z.beat(beat, s.clock, now, s.start)
	}
	if !z.dirty {
		z.dirty = true
		if z.reportedIn == s.interval+1 {
			s.coalesced = append(s.coalesced, z)
		} else {
			s.ready = append(s.ready, z)
		}
	}
	return ""
}

// makeRoom forgets who has not been heard for long; such a one starts afresh when it comes back.
func (s *sensor) makeRoom(now time.Time) bool {
	if !s.swept.IsZero() && now.Sub(s.swept) < sweepInterval {
		return false
	}
	s.swept = now
	for name, z := range s.zooids {
		if !z.dirty && now.Sub(z.heard) > forgetAfter {
			delete(s.zooids, name)
		}
	}
	return len(s.zooids) < s.maxZooids
}

// probePayload is what a probe carries: when it was sent, by this sensor's clock.
func (s *sensor) probePayload(now time.Time) []byte {
	return []byte(now.Sub(s.start).String())
}

func (s *sensor) probeReturned(payload string, now time.Time) {
	sent, err := time.ParseDuration(payload)
	if roundTrip := now.Sub(s.start) - sent; err == nil && sent >= 0 && roundTrip >= 0 {
		s.counts.probeRoundTrip, s.probeSent = roundTrip, sent
	}
}

// Due reports whether there is anything to take.
func (s *sensor) Due() bool {
	return len(s.ready) > 0 || s.killDue || s.tickDue || s.signals.Due()
}

// Take returns what has to be reported and marks it as reported. A tick, and a kill, is preceded by
// every beat heard before it; its observed time is that of now, since the beats may be of now.
func (s *sensor) Take() report {
	due := s.ready
	if s.tickDue || s.killDue {
		due = append(due, s.coalesced...)
		clear(s.coalesced)
		s.coalesced = s.coalesced[:0]
	}
	r := report{
		beats: make([]zooid, len(due)),
		kill:  s.killDue, killed: s.killed, killedAt: s.killedAt,
		tick: s.tickDue, observed: s.clock.observed, at: s.clock.last,
		signals: s.signals.Take(),
	}
	for i, z := range due {
		r.beats[i] = *z
		r.beats[i].recent, r.beats[i].lag = recentBeats{}, lagEstimate{}
		z.beats, z.starts, z.dirty = 0, 0, false
		z.reportedIn = s.interval + 1
	}
	// In this order no beat moves the judge's clock past one that was sent earlier.
	slices.SortStableFunc(r.beats, func(a, b zooid) int { return cmp.Compare(a.observed, b.observed) })
	if n := len(r.beats); n > 0 && r.beats[n-1].observed-s.taken > s.clock.blindAfter {
		// After a stall that is not enough: the beats of rare senders, in small steps, would move it past
		// those of busy ones that were merged into a later one. With the latest beat first it jumps,
		// which is silence of nobody. A beat that does not make it jump must not come first.
		// The judge's blind_after is no longer than this one.
		slices.Reverse(r.beats)
	}
	s.taken = r.observed
	clear(due)
	s.ready = due[:0]
	if s.tickDue {
		s.interval++
	}
	s.tickDue, s.killDue = false, false
	return r
}
