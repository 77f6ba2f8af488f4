package chembus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// wall is the components' clock, an epoch time, when the tests' clock shows so many seconds.
func wall(seconds float64) float64 {
	return 1.8e9 + seconds
}

func waited(l *lagEstimate, arrived, sent float64) float64 {
	return l.Waited(sent, at(arrived), at(0)).Seconds()
}

func TestLagMeasuresWaitingAgainstTheSmallest(t *testing.T) {
	for _, skew := range []float64{0, -3600, 86400} { // the clocks of hosts differ
		var l lagEstimate
		require.Zero(t, waited(&l, 0.2, wall(skew)), "nothing to compare with")
		require.Zero(t, waited(&l, 10, wall(skew+10)), "a smaller lag")
		require.Zero(t, waited(&l, 20.9, wall(skew+20)), "ordinary variation")
		require.InDelta(t, 5, waited(&l, 35, wall(skew+30)), 0.001)
		require.InDelta(t, 1.5, waited(&l, 41.5, wall(skew+40)), 0.001)
		require.Zero(t, waited(&l, 50, wall(skew+50)))
	}
}

func TestLagWithoutUsableTime(t *testing.T) {
	var l lagEstimate
	require.Zero(t, waited(&l, 0, math.NaN()))
	require.Zero(t, waited(&l, 1, wall(1)))
	require.Zero(t, waited(&l, 11, math.NaN()))
	require.InDelta(t, 5, waited(&l, 20, wall(15)), 0.001, "a beat without time does not disturb")
}

func TestLagOfWildTimes(t *testing.T) {
	for _, wild := range []float64{math.MaxFloat64, -math.MaxFloat64, 0, 1e18, math.SmallestNonzeroFloat64} {
		var l lagEstimate
		for n, sent := range []float64{wall(0), wild, wall(20), wall(30), -wild, wild, wall(60)} {
			w := waited(&l, float64(10*n), sent)
			require.GreaterOrEqual(t, w, 0.0, "%g", wild)
			require.LessOrEqual(t, w, maxWait.Seconds(), "%g", wild)
		}
		require.Zero(t, waited(&l, 70, wall(70)), "%g", wild)
		require.Zero(t, waited(&l, 80, wall(80)), "%g", wild)
	}
}

// Whatever its clock does, a component that beats regularly shows less silence than three of
// its intervals.
func TestEmitterClockSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	steps := []float64{0, 0.5, 0.9, 1.1, 1.5, 1.9, 2.1, 4, 9, 9.5, 10.5, 15, 29, 31, 59, 61, 3600, 1e6, 1.8e9}
	for _, interval := range []float64{0.3, 1, 1.2, 1.5, 2, 3, 5, 10, 60} {
		for _, size := range steps {
			for _, first := range []float64{size, -size} {
				for _, second := range []float64{0, first, -first, -first / 2} {
					if interval < lagTolerance.Seconds() && second != 0 {
						continue // several steps of less than the tolerance add up to more than such a threshold
					}
					name := fmt.Sprintf("interval %v s, clock stepped by %v s, then by %v s", interval, first, second)
					requireNeverSilent(t, random, name, interval, first, second)
				}
			}
		}
	}
}

func requireNeverSilent(t *testing.T, random *rand.Rand, name string, interval, first, second float64) {
	t.Helper()
	s := newTestCollector()
	z := "z"
	var now, step float64
	for n := range 12 {
		switch n {
		case 5:
			step = first
		case 6, 7:
			step += second / 2
		}
		next := now + interval*(0.99+0.02*random.Float64())
		for probe := math.Floor(now) + 1; probe < next; probe++ {
			s.Evidence(at(probe))
		}
		now = next
		s.Evidence(at(now))
		if n > 0 {
			if silence := s.clock.observed - s.zooids.known[z].observed; silence.Seconds() >= 3*interval {
				require.Fail(t, "looks silent", "%s: %v before beat %d", name, silence, n)
			}
		}
		s.beat(now, z, wall(now+step))
	}
	silence := s.clock.observed - s.zooids.known[z].observed
	require.LessOrEqual(t, silence.Seconds(), 1.0, "%s: at last its clock is understood", name)
}

func TestEmitterWhoseClockStandsStill(t *testing.T) {
	s := newTestCollector()
	for n := range 30 {
		now := float64(10 * n)
		for probe := now - 9; probe < now; probe++ {
			s.Evidence(at(probe))
		}
		s.Evidence(at(now))
		if n > 0 {
			require.Less(t, s.clock.observed-s.zooids.known["z"].observed, secs(30), "before beat %d", n)
		}
		s.beat(now, "z", 0)
	}
}

func TestMaintenanceBurst(t *testing.T) {
	s := newTestCollector()
	// Heard for 20 s; then nothing until at 81 s 60 s of beats come at once, of which "dead" sent its last
	// at 30 s.
	for now := 1.0; now <= 20; now++ {
		s.Evidence(at(now))
		if math.Mod(now, 10) == 0 {
			s.beat(now, "alive", wall(now))
			s.beat(now, "dead", wall(now))
		}
	}
	for sent := 30.0; sent <= 80; sent += 10 {
		s.beat(81, "alive", wall(sent))
		if sent == 30 {
			s.beat(81, "dead", wall(sent))
		}
	}
	require.Equal(t, secs(19), s.clock.observed, "the hole adds nothing")
	require.Equal(t, secs(19), s.zooids.known["alive"].observed)
	require.Equal(t, secs(19), s.zooids.known["dead"].observed)
	require.Equal(t, 8, s.zooids.known["alive"].beats, "late beats are beats")
	s.beat(90, "alive", wall(90))
	require.Equal(t, secs(19), s.zooids.known["alive"].observed, "nothing came for 9 s: a hole")
}

// One component's way to the bus is held up while the bus itself forwards: its beats prove life when they
// were sent.
func TestBurstOfOneComponent(t *testing.T) {
	for _, streams := range []int{1, 8} {
		s := newTestCollector()
		run := func(from, to float64) {
			for now := from; now < to; now++ {
				s.Evidence(at(now))
			}
			s.Evidence(at(to))
		}
		round := func(arrived func(sent float64) float64, start float64) {
			for n := range streams {
				sent := start + 0.1*float64(n)
				s.beat(arrived(sent), "z", wall(sent))
			}
		}
		prompt := func(sent float64) float64 { return sent }
		late := func(float64) float64 { return 100 }
		run(0, 10)
		round(prompt, 10)
		run(11, 20)
		round(prompt, 20)
		run(21, 100)
		for start := 30.0; start <= 60; start += 10 { // it died soon after 60
			round(late, start)
		}
		last := 60 + 0.1*float64(streams-1)
		require.InDelta(t, last, s.zooids.known["z"].observed.Seconds(), 0.01, "%d streams", streams)
		run(101, 110)
		round(prompt, 110)
		require.InDelta(t, 110+0.1*float64(streams-1), s.zooids.known["z"].observed.Seconds(), 0.01, "prompt again")
	}
}

func TestObservedNeverGoesBack(t *testing.T) {
	s := newTestCollector()
	s.beat(0, "z", wall(0))
	for now := 1.0; now <= 40; now++ {
		s.Evidence(at(now))
	}
	s.beat(40, "z", wall(25))
	s.beat(40, "z", wall(24)) // another stream's
	require.InDelta(t, 25, s.zooids.known["z"].observed.Seconds(), 0.001)
}

func TestCopyOfOneStream(t *testing.T) {
	s := newTestCollector()
	s.beat(0, "z", wall(0))
	s.beat(0.15, "z", wall(0))
	s.beat(10, "z", wall(10))
	z := s.zooids.known["z"]
	require.Equal(t, 2, z.beats)
	require.Equal(t, 1, z.starts)
	require.EqualValues(t, 2, s.counts.heartbeats)
	require.EqualValues(t, 1, s.counts.duplicates)
}

func TestCopiesOfInterleavedStreams(t *testing.T) {
	const streams = 8
	type arrival struct{ time, sent float64 }
	var first []arrival
	for n := range streams {
		sent := 0.1 * float64(n)
		first = append(first, arrival{sent, sent}, arrival{sent + 0.15, sent})
	}
	for name, arrived := range map[string]func(arrival) float64{
		"prompt":                   func(a arrival) float64 { return a.time },
		"at once after a pause":    func(arrival) float64 { return 60 },
		"copies after a pause":     func(a arrival) float64 { return a.time + 60*(a.time-a.sent)/0.15 },
		"cut by a pause at 0.42 s": func(a arrival) float64 { return a.time + 100*math.Round(a.time/0.84) },
	} {
		for _, order := range []string{"as sent", "shuffled"} {
			messages := append([]arrival(nil), first...)
			if order == "shuffled" && name == "at once after a pause" {
				rand.New(rand.NewPCG(3, 4)).Shuffle(len(messages), func(i, j int) {
					messages[i], messages[j] = messages[j], messages[i]
				})
			}
			s := newTestCollector()
			var end float64
			for pass := range 2 { // what came before the pause, then what came after
				for _, m := range messages {
					if when := arrived(m); (when < 50) == (pass == 0) {
						end = max(end, when)
						s.beat(end, "meta_agent", wall(m.sent))
					}
				}
			}
			for round := range 3 {
				for n := range streams {
					when := end + 10*float64(round+1) + 0.1*float64(n)
					s.beat(when, "meta_agent", wall(when))
				}
			}
			z := s.zooids.known["meta_agent"]
			require.Equal(t, streams, z.starts, "%s, %s", name, order)
			require.Equal(t, 4*streams, z.beats, "%s, %s", name, order)
		}
	}
}

func TestBeatsWithoutTime(t *testing.T) {
	s := newTestCollector()
	payload := `{"facts":{"zooid":"z"}}`
	s.send(0, payload)
	s.send(0.15, payload)
	for n := range 10 {
		s.send(float64(10*(n+1)), payload)
	}
	z := s.zooids.known["z"]
	require.Equal(t, 11, z.beats, "the regular beats are all alike, and all beats")
	require.Equal(t, 1, z.starts)
}

func TestMemoryOfBeatsIsBounded(t *testing.T) {
	s := newTestCollector()
	for n := range 2_000 {
		now := float64(n) / 1000
		s.beat(now, "flood", wall(now))
	}
	require.Len(t, s.zooids.known["flood"].recent.beats, maxRecent)
	require.LessOrEqual(t, cap(s.zooids.known["flood"].recent.beats), 2*maxRecent)
	require.Equal(t, 2_000, s.zooids.known["flood"].beats)
}
