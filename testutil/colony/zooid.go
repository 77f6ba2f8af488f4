package colony

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Zooid is the configuration of a simulated component.
type Zooid struct {
	Name      string        // unique in its colony; must not be empty
	Niche     string        // empty: "unknown"
	Interval  time.Duration // between two beats of a stream; 0: 10 s
	Jitter    float64       // fraction by which each interval varies at random, from 0 to below 1
	Streams   int           // number of independent streams of heartbeats, started 100 ms apart; 0: 1
	DoubleTap bool          // the first beat of each stream is sent a second time after 150 ms, with the same bytes
	Quirks    Quirks

	// RuntimeStreams is the number of further streams in the dialect of ZooidRuntime. They go on after the kill signal.
	RuntimeStreams int
	// Process is the process that carries this zooid; the zooids of one process end together. Empty: one of its own.
	Process string
	// Voice is the NAME in VOICE.NAME.READY and VOICE.NAME.SHUTDOWN, which the zooid publishes when it is started and when it
	// is stopped. Empty: it announces nothing.
	Voice string
	// VoiceFact is the fact of these signals that holds the zooid's name. Empty: they do not name the zooid.
	VoiceFact string
}

const (
	defaultInterval = 10 * time.Second
	streamStagger   = 100 * time.Millisecond
	tapDelay        = 150 * time.Millisecond
)

// withDefaults returns the zooid with its defaults, or an error if it is invalid.
func (z Zooid) withDefaults() (Zooid, error) {
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
		return z, errors.New("colony: cannot add a zooid without a name")
	case z.Interval < 0:
		return z, fmt.Errorf("colony: zooid %q has an interval of %v; it must be above 0", z.Name, z.Interval)
	case !(z.Jitter >= 0 && z.Jitter < 1):
		return z, fmt.Errorf("colony: zooid %q has a jitter of %v; it must be from 0 to below 1", z.Name, z.Jitter)
	case z.Streams < 0:
		return z, fmt.Errorf("colony: zooid %q has %d streams; it must have at least 1", z.Name, z.Streams)
	case z.RuntimeStreams < 0:
		return z, fmt.Errorf("colony: zooid %q has %d streams of ZooidRuntime; it must have at least 0", z.Name, z.RuntimeStreams)
	}
	return z, nil
}

// Field returns n zooids: first the components of the real colony, with their niches and numbers of streams, then
// numbered ones, all with the double tap.
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

// VoiceServices returns the zooids that announce their start and their stop. As in the real colony only the signals of the
// gateway name the zooid. The names of the others are made up.
func VoiceServices() []Zooid {
	zooids := []Zooid{{Name: "kloros-voice-gateway", Voice: "GATEWAY", VoiceFact: "gateway"}}
	for _, name := range []string{"SESSION", "EMOTION", "INTENT", "TTS", "STT", "LLM", "KNOWLEDGE"} {
		zooids = append(zooids, Zooid{Name: "voice_" + strings.ToLower(name), Voice: name})
	}
	for i := range zooids {
		zooids[i].Niche, zooids[i].DoubleTap = "voice", true
	}
	return zooids
}

// life is the time of a zooid from its start to its end.
type life struct {
	zooid     Zooid
	publisher *Publisher // the same for each life of a zooid
	dead      bool
	muted     bool      // by the kill signal: only streams of ZooidRuntime go on
	lastBeat  time.Time // by the clock of the machine; zero before the first
}

// stream is one of a zooid's sequences of heartbeats.
type stream struct {
	life    *life
	runtime bool      // a stream of ZooidRuntime
	due     time.Time // of the next beat or of the second copy of the first
	tap     []byte    // the first beat, to be sent a second time; nil if the next beat is new
	started bool
	window  int // simulated number of messages processed
}

// windowStep is the maximum change of the number of processed messages between two beats.
const windowStep = 5

// next returns the payload to send now and sets the time of the next. Like the real emitters it waits for the interval
// after each beat, or after its second copy, so a late beat delays all that follow.
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
		Runtime:        s.runtime,
		Quirks:         s.life.zooid.Quirks,
	}.Payload()
}
