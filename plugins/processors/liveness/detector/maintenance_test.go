package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// observeAfter feeds ticks that say when a maintenance was over, and returns when each change was found.
func observeAfter(d *Detector, resumed, lasted, from, to time.Duration) map[time.Duration]State {
	found := make(map[time.Duration]State)
	for at := from + second; at <= to; at += second {
		d.Resume(1, resumed, lasted)
		for _, f := range d.Tick(1, at) {
			if f.Change != Report {
				found[at] = f.Status.State
			}
		}
	}
	return found
}

func beatOfRun() *Beat {
	b := beatOf("a", 0)
	b.Run = 1
	return b
}

// TestStoppedInAMaintenance has a component be stopped at the beginning of a maintenance, in which the clock stands still at
// 9 s, and not be started again. It is silent one threshold after the end.
func TestStoppedInAMaintenance(t *testing.T) {
	for name, restart := range map[string]func(*Detector) *Detector{
		"":                          func(d *Detector) *Detector { return d },
		"the processor restarts":    func(d *Detector) *Detector { return restarted(t, &config, d) },
		"and had not heard the end": func(d *Detector) *Detector { return restarted(t, &config, d) },
	} {
		d := New(&config, "")
		d.Tick(1, 0)
		d.Beat(beatOfRun())
		for at := second; at <= 8*second; at += second {
			require.Empty(t, d.Tick(1, at))
		}
		from := 8 * second
		if name != "and had not heard the end" {
			require.Empty(t, observeAfter(d, 9*second, time.Minute, from, 20*second), name)
			from = 20 * second
		}
		d = restart(d)
		want := map[time.Duration]State{25 * second: Late, 40 * second: Silent}
		if from == 20*second && name != "" { // its only beat can have been followed by one in the hole up to 21 s
			want = map[time.Duration]State{37 * second: Late, 52 * second: Silent}
		}
		require.Equal(t, want,
			observeAfter(d, 9*second, time.Minute, from, 100*second), name)
	}
}

// TestSilenceBeforeAMaintenanceIsInTheGap has the gap say how long nothing was heard, as far as it was observed.
func TestSilenceBeforeAMaintenanceIsInTheGap(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	d.Beat(beatOfRun())
	observeAfter(d, 9*second, time.Minute, 0, 39*second)
	for _, f := range d.Tick(1, 40*second) {
		if f.Gap != nil {
			require.Equal(t, 40*second, f.Gap.Missing)
			return
		}
	}
	require.Fail(t, "no gap")
}

// TestMaintenanceForgivesNoLongerThanItLasted has maintenances be declared and over at once again and again, as whoever
// forges the signals can.
func TestMaintenanceForgivesNoLongerThanItLasted(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	d.Beat(beatOfRun())
	for at := second; at <= 33*second; at += second {
		d.Resume(1, at-second/2, second)
		for _, f := range d.Tick(1, at) {
			if f.Change == WentSilent {
				require.Equal(t, 32*second, at)
				return
			}
		}
	}
	require.Fail(t, "the monitoring has ended")
}

// TestMaintenanceOfAnotherInput has a copy of an input that does not count say that a maintenance was over.
func TestMaintenanceOfAnotherInput(t *testing.T) {
	d := New(&config, "")
	d.Tick(2, 0)
	d.Tick(1, 0)
	d.Beat(beatOfRun())
	d.Resume(2, 20*second, time.Hour)
	require.Equal(t, 31*second, silentAt(d, second))
}

// silentAt feeds ticks from a time on, until somebody is silent, and returns when.
func silentAt(d *Detector, from time.Duration) time.Duration {
	for at := from; at < 1000*second; at += second {
		for _, f := range d.Tick(1, at) {
			if f.Change == WentSilent {
				return at
			}
		}
	}
	return never
}

// TestRestoredMaintenanceOfTheFuture has a state that cannot be true not end the monitoring.
func TestRestoredMaintenanceOfTheFuture(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	d.Beat(beatOfRun())
	s := d.Snapshot()
	s.Resumed = &Maintenance{EndSignal: EndSignal{At: never / 8}, Lasted: never}
	d = New(&config, "")
	require.Empty(t, d.Restore(s))
	require.Equal(t, 32*second, silentAt(d, second), "one threshold after the hole in which it was restored")
}

// TestHeadHasTheMaintenance saves a component and the head, as a journal does.
func TestHeadHasTheMaintenance(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	d.Beat(beatOfRun())
	d.Tick(1, second)
	d.Resume(1, second, time.Hour)
	d.Tick(1, 2*second)
	s := d.Head()
	c, _ := d.Component("a")
	s.Components = []ComponentSnapshot{c}
	d = New(&config, "")
	require.Empty(t, d.Restore(s))
	require.Equal(t, 34*second, silentAt(d, 3*second), "one threshold after the hole in which it was restored")
}
