package colony

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Zooid describes a component of the colony by the heartbeats that it sends.
type Zooid struct {
	Name      string        // unique in its colony; may not be empty
	Niche     string        // empty: "unknown"
	Interval  time.Duration // from one beat of a stream to the next; 0: 10 s
	Jitter    float64       // each interval varies at random by up to this fraction of it, 0 to below 1
	Streams   int           // independent streams under the one name, started 100 ms apart; 0: 1
	DoubleTap bool          // the first beat of each stream is sent again after 150 ms, the same bytes
	Quirks    Quirks
}

const (
	defaultInterval = 10 * time.Second
	streamStagger   = 100 * time.Millisecond
	tapDelay        = 150 * time.Millisecond
)

// normal returns the zooid with its defaults filled in, or says what is wrong with it.
func (z Zooid) normal() (Zooid, error) {
	if z.Niche == "" {
		z.Niche = "unknown"
	}
	if z.Interval == 0 {
		z.Interval = defaultInterval
	}
	if z.Streams == 0 {
		z.Streams = 1
	}
	switch {
	case z.Name == "":
		return z, errors.New("colony: cannot add a zooid without a name; one that has none is called zooid_<pid> on the bus")
	case z.Interval < 0:
		return z, fmt.Errorf("colony: zooid %q beats every %v; an interval is above 0", z.Name, z.Interval)
	case !(z.Jitter >= 0 && z.Jitter < 1):
		return z, fmt.Errorf("colony: zooid %q has a jitter of %v; a jitter is a fraction from 0 to below 1", z.Name, z.Jitter)
	case z.Streams < 0:
		return z, fmt.Errorf("colony: zooid %q has %d streams; it needs at least 1", z.Name, z.Streams)
	}
	return z, nil
}

// Field returns n zooids as they are met in the field: the known components with their niches and
// numbers of streams, then numbered ones, all of them with the double tap.
func Field(n int) []Zooid {
	zooids := []Zooid{
		{Name: "meta_agent", Niche: "consciousness", Streams: 8},
		{Name: "audio_io", Niche: "voice", Streams: 3},
		{Name: "heal_executor", Niche: "system_healing", Streams: 1},
		{Name: "curiosity_core_consumer", Niche: "curiosity", Streams: 1},
		{Name: "investigation_consumer_affective", Niche: "curiosity", Streams: 1},
		{Name: "chembus_historian", Niche: "observability", Streams: 1},
		{Name: "ledger_writer_daemon", Niche: "observability", Streams: 1},
		{Name: "introspection_daemon", Niche: "introspection", Streams: 1},
		{Name: "reflection_consumer_daemon", Niche: "orchestration", Streams: 1},
		{Name: "housekeeping_orchestrator", Niche: "orchestration", Streams: 2},
		{Name: "interoception_heartbeat_monitor", Niche: "consciousness", Streams: 1},
	}
	for i := len(zooids); i < n; i++ {
		zooids = append(zooids, Zooid{Name: fmt.Sprintf("skill_worker_%03d", i+1), Niche: "skills", Streams: 1})
	}
	zooids = zooids[:n]
	for i := range zooids {
		zooids[i].DoubleTap = true
	}
	return zooids
}

// life is a zooid from its start to its death.
type life struct {
	zooid     Zooid
	publisher *Publisher // the same in each life of a zooid
	dead      bool
	lastBeat  time.Time // when one was sent last, by the machine's clock; zero before the first
}

// stream is one sequence of heartbeats. Its zooid may have several.
type stream struct {
	life    *life
	due     time.Time // of the next beat, or of the tap
	tap     []byte    // the beat to send again; nil if the next one is new
	started bool
	window  int // the size of the imagined window of messages processed
}

// windowStep is by how much the window of processed messages grows or shrinks from beat to beat.
const windowStep = 5

// next returns what is to be sent now and sets when the stream is due again. Like the emitters it counts
// the interval from when the beat went out, its copy included, so a late beat delays all that follow.
func (s *stream) next(wall func() time.Time, now time.Time, random *rand.Rand) []byte {
	payload := s.tap
	s.tap = nil
	if payload == nil {
		payload = s.beat(wall)
		s.window = max(0, s.window+random.IntN(2*windowStep+1)-windowStep)
		if !s.started && s.life.zooid.DoubleTap {
			s.tap = payload
		}
		s.started = true
	}
	wait := tapDelay
	if s.tap == nil {
		zooid := s.life.zooid
		wait = time.Duration(float64(zooid.Interval) * (1 + zooid.Jitter*(2*random.Float64()-1)))
	}
	s.due = now.Add(wait)
	return payload
}

func (s *stream) beat(wall func() time.Time) []byte {
	return Heartbeat{
		Zooid:          s.life.zooid.Name,
		Niche:          s.life.zooid.Niche,
		Uptime:         epoch(wall()),
		ProcessedCount: s.window,
		TS:             epoch(wall()),
		Quirks:         s.life.zooid.Quirks,
	}.Payload()
}
