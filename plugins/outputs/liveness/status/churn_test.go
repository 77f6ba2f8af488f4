package status

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// TestADayOfChurnLeavesNothingBehind has 2000 components reported for a day, in which one of them ends in each second and
// another one begins, with a name that was never heard: 86 400 names. Those that ended are shown for 10 minutes, until they
// are retired: those without a name as gone, those with a name as silent with an open gap. At the end it holds no more than
// it does after a restart, when it knows only what it shows. Nobody looks at the page.
func TestADayOfChurnLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through two days")
	}
	for form, ended := range map[string]State{"component_%07d": Silent, "zooid_%07d": Gone} {
		held, restarted := heapAfterADay(t, form, ended)
		t.Logf("%s: %d KiB after a day, %d KiB after a restart", form, held>>10, restarted>>10)
		require.Less(t, float64(held), 1.2*float64(restarted))
	}
}

// heapAfterADay returns what this process holds after a day, with all else that it holds, and what after a restart.
// Components that end are in a state for 10 minutes.
func heapAfterADay(t *testing.T, form string, ended State) (held, restarted uint64) {
	t.Helper()
	const (
		components = 2000
		interval   = 60  // seconds between two reports of a component
		retire     = 600 // seconds
	)
	config := Config{StaleAfter: 2 * interval * time.Second, History: 24 * time.Hour, MaxComponents: 10_000, MaxEvents: 1000}
	s := New(config)
	names := make([]string, components)
	for i := range names {
		names[i] = fmt.Sprintf(form, i)
	}
	var silent []string
	report := func(name string, state State, now time.Time) {
		s.Report(Report{Key: Key{Source{Bus: bus}, name}, At: now, Niche: "churn", State: state, Up: state == Up, Beats: 7, Threshold: 30}, now)
	}
	gap := func(name string, open bool, now time.Time) {
		if ended == Silent {
			s.Gap(Gap{
				Key: Key{Source{Bus: bus}, name}, At: now, Incident: fmt.Sprintf("incident_%-27s", name), Open: open, Kind: "heartbeat_missing",
				Niche: "churn", Severity: "critical", Reason: fmt.Sprintf("no heartbeat from %q for 30.5 s, threshold 30 s", name),
			}, now)
		}
	}
	for second := range heap.Day() {
		now := start.Add(time.Duration(second) * time.Second)
		i := second % components
		report(names[i], ended, now)
		gap(names[i], true, now)
		silent = append(silent, names[i])
		names[i] = fmt.Sprintf(form, components+second)
		for i := second % interval; i < components; i += interval {
			report(names[i], Up, now)
		}
		for i := second % interval; i < len(silent) && ended != Gone; i += interval {
			report(silent[i], ended, now)
			gap(silent[i], true, now)
		}
		if len(silent) > retire {
			report(silent[0], Retired, now)
			gap(silent[0], false, now)
			silent = silent[1:]
		}
	}
	held = heap.InUse()
	s = reload(t, s, config)
	restarted = heap.InUse()
	runtime.KeepAlive(s)
	return held, restarted
}
