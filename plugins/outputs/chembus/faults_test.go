package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// fails has a component fail: the monitors find it about a time, each with the last beat that it heard.
func (s *simulation) fails(zooid string, found time.Duration) {
	at := s.start.Add(found)
	spread := []time.Duration{simStep, 50 * time.Millisecond, 1500 * time.Millisecond, 8 * time.Second}[s.random.IntN(4)]
	for _, m := range s.monitors {
		lastSeen := float64(at.Add(-31*time.Second).UnixNano()) / 1e9
		if s.random.IntN(2) == 0 {
			lastSeen -= 10 // missed the last beat
		}
		g := silenceOf(fmt.Sprint(zooid, lastSeen), zooid, lastSeen, 31)
		g.Severity = "high"
		s.failedBefore(m, zooid, found)
		s.at(found+time.Duration(s.random.Int64N(int64(spread))), func() {
			m.levels[zooid] = g
			m.write(s.levelNow(g))
		})
	}
}

// failedBefore has a monitor hear that a former failure of a component is over, three times, the first one late. The beat
// that ended it may be the last.
func (s *simulation) failedBefore(m *simMonitor, zooid string, found time.Duration) {
	if s.random.IntN(2) == 0 {
		return
	}
	const missing = 50
	back := float64(s.start.Add(found-41*time.Second).UnixNano()) / 1e9
	end := over(silenceOf(zooid+" before", zooid, back-missing, missing+0.1))
	end.Threshold = 30
	s.at(found-5*time.Second+time.Duration(s.random.Int64N(int64(15*time.Second))), func() {
		m.ends = append(m.ends, end)
		m.write(end)
	})
	s.at(found+20*time.Second, func() { m.ends = nil })
}

// fault does something to the bus or to a monitor, about a time.
func (s *simulation) fault(kind int, about time.Duration) string {
	at := max(about+time.Duration(s.random.Int64N(int64(2*time.Second)))-time.Second, 0)
	length := 5*time.Second + time.Duration(s.random.Int64N(int64(10*time.Second)))
	m := s.monitors[s.random.IntN(len(s.monitors))]
	switch kind {
	case 0, 1:
		s.at(at, func() { s.paused = true })
		s.at(at+length, func() { s.paused = false })
		return fmt.Sprintf("bus paused at %v for %v", at, length)
	case 5:
		s.at(at, func() { s.restart = true })
		return fmt.Sprintf("bus restarted with the first gap after %v", at)
	case 6:
		s.at(at, func() { s.leave = true })
		return fmt.Sprintf("consumer leaves with the first gap after %v", at)
	case 7:
		s.at(at, func() {
			for _, other := range s.monitors {
				other.lost = true
			}
			s.busIsBack(s.now.Add(length))
		})
		s.at(at+length/2, func() { s.revive(m, m.file) })
		return fmt.Sprintf("bus off at %v for %v, a monitor killed meanwhile", at, length)
	case 8, 9, 10:
		until := []*time.Time{&m.deaf, &m.mute, &m.blind}[kind-8]
		s.at(at, func() { s.loses(m, until, length/3) })
		return fmt.Sprintf("connection %d lost at %v for %v", kind-8, at, length/3)
	case 11:
		s.at(at, func() {
			for _, other := range s.monitors {
				other.full = s.now.Add(length / 3)
			}
		})
		return fmt.Sprintf("the bus does not take all at %v for %v", at, length/3)
	case 12:
		m.slow = length / 10
		return fmt.Sprintf("monitor slow by %v", m.slow)
	case 13:
		s.at(at, func() { s.joins(m) })
		return fmt.Sprintf("monitor joins at %v", at)
	case 14:
		s.at(at-time.Second, func() { s.dies(m, 1+s.random.IntN(6), length/3) })
		return fmt.Sprintf("monitor killed for %v after it said something after %v", length/3, at-time.Second)
	case 2:
		s.at(at, func() { m.stopped = true })
		s.at(at+length, func() { m.stopped = false })
		return fmt.Sprintf("monitor stopped at %v for %v", at, length)
	default:
		keep := kind == 3
		var state *savedState
		s.at(at, func() {
			if m.alive = false; keep {
				state = m.file
			}
		})
		s.at(at+length/3, func() { s.revive(m, state) })
		return fmt.Sprintf("monitor killed at %v for %v, state kept: %v", at, length/3, keep)
	}
}

// joins has a monitor join that has missed the last beat of what another one has found.
func (s *simulation) joins(other *simMonitor) {
	m := &simMonitor{levels: make(map[string]*gap)}
	for zooid, g := range other.levels {
		m.levels[zooid] = silenceOf(g.Incident+" joined", zooid, g.LastSeen-10, 41)
	}
	s.monitors = append(s.monitors, m)
	s.revive(m, nil)
}

// dies kills a monitor when it has sent so many messages, for a while.
func (s *simulation) dies(m *simMonitor, messages int, length time.Duration) {
	send := m.publisher.send
	m.publisher.send = func(message bus.Message) error {
		if messages--; messages == 0 {
			at := s.now.Sub(s.start) + simStep
			s.at(at, func() { m.alive = false })
			s.at(at+length, func() { s.revive(m, m.file) })
		}
		return send(message)
	}
}

// TestEachFailureIsHandledOnce has two or three monitors find failures while faults happen. Consumers handle each failure
// once, whatever ids the monitors give it.
func TestEachFailureIsHandledOnce(t *testing.T) {
	t.Parallel()
	runs := uint64(200)
	if testing.Short() {
		runs = 40
	}
	asked := 0
	for seed := range runs {
		s := newSimulation(t, seed, 2+int(seed%2))
		s.delay = []time.Duration{0, 0, 30 * time.Millisecond, 200 * time.Millisecond}[s.random.IntN(4)]
		faults := []string{fmt.Sprint("delay ", s.delay)}
		const found = 10 * time.Second
		for i := range 3 {
			s.fails(fmt.Sprint("z", i), found+time.Duration(s.random.Int64N(int64(time.Second))))
		}
		faults = append(faults, s.fault(s.random.IntN(15), found))
		if s.random.IntN(3) == 0 && len(s.monitors) == 3 {
			faults = append(faults, s.fault(s.random.IntN(2), found+4*time.Second))
		}
		s.run(2 * time.Minute)
		for i := range 3 {
			zooid := fmt.Sprint("z", i)
			require.Len(t, s.handled[zooid], 1, "%s of seed %d: %v", zooid, seed, faults)
			require.LessOrEqual(t, s.asked[zooid], 1, "%s of seed %d: %v", zooid, seed, faults)
			asked += s.asked[zooid]
		}
		for _, m := range s.monitors {
			require.Zero(t, m.pending(), "seed %d: %v", seed, faults)
		}
	}
	t.Logf("%d of %d failures were investigated", asked, 3*runs)
}

// TestSlowBus has each message take longer than a claim may: gaps are published for all that.
func TestSlowBus(t *testing.T) {
	s := newSimulation(t, 1, 2)
	s.delay = 3 * claimRoundTrip / 2
	s.fails("z", 10*time.Second)
	s.run(2 * time.Minute)
	require.NotEmpty(t, s.handled["z"])
}

// TestBusyMonitorsProveThatTheyPublish has three monitors find a failure every few seconds, most of which another one
// publishes.
func TestBusyMonitorsProveThatTheyPublish(t *testing.T) {
	s := newSimulation(t, 1, 3)
	for i := range 30 {
		s.fails(fmt.Sprint("z", i), time.Duration(10+6*i)*time.Second)
	}
	for second := 1; second <= 200; second++ {
		s.run(time.Duration(second) * time.Second)
		for i, m := range s.monitors {
			require.Less(t, s.now.Sub(m.publisher.returned), bus.ReturnTimeout, "monitor %d after %d s", i, second)
		}
	}
}

// TestNothingIsSaidWithoutNeed counts the messages on the private topics.
func TestNothingIsSaidWithoutNeed(t *testing.T) {
	s := newSimulation(t, 1, 3)
	s.run(10 * time.Second)
	joined := s.private
	require.LessOrEqual(t, joined, 3+9, "each proves that it can publish, asks, and answers once or twice")
	s.run(5 * time.Minute)
	const probes = 3 * 3 // of three monitors in a minute, by which they know that publishing works
	require.InDelta(t, 5*probes, s.private, float64(joined))
	before := s.private
	g := silenceOf("1", "z", 100, 30)
	s.monitors[0].write(g)
	s.run(10 * time.Minute)
	require.InDelta(t, before+5*probes+2, s.private, 3, "a claim, and a probe behind the gap")
	require.Equal(t, []string{"1"}, s.handled["z"])

	alone := newSimulation(t, 1, 1)
	alone.monitors[0].write(g)
	alone.run(idleProbe)
	require.Equal(t, 2, alone.private, "a probe at the start, and one behind the gap")
}
