package status

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsOldIsForgotten(t *testing.T) {
	s := newScene(t)
	s.heard()
	s.report("a", Up)
	s.wait(time.Second)
	s.report("a", Silent)
	s.gap("one", true)
	s.wait(24*time.Hour + time.Second)
	v := s.View(s.now)
	require.Empty(t, v.Components)
	require.Empty(t, v.Buses)
	require.Empty(t, v.Gaps)
	require.Empty(t, v.Events)
	s.Status.Report(Report{Key: Key{Source{Bus: bus}, "a"}, At: start, State: Up}, s.now)
	require.Empty(t, s.View(s.now).Components)
}

func TestEverythingIsBounded(t *testing.T) {
	s := newScene(t)
	for i := range 300 {
		s.report(fmt.Sprintf("zooid_%d", i), Up)
		s.gap(fmt.Sprint(i), true)
		s.Status.Bus(Bus{Source: Source{Bus: fmt.Sprint(i)}, At: s.now}, s.now)
	}
	s.report("named", Up)
	v := s.View(s.now)
	require.Len(t, v.Components, 100)
	require.Len(t, v.Gaps, 100)
	require.Len(t, v.Buses, 100)
	require.Len(t, v.Events, 100)
	require.Equal(t, Up, s.row("named").State, "a component without a name makes room")
	require.EqualValues(t, 200+200+201, s.Dropped())

	s.wait(31 * time.Second)
	s.report("named", Up)
	s.report("another", Up)
	require.Equal(t, Up, s.row("another").State, "one that is not reported any more makes room")
}

// TestUnnamedMakesRoomForUnnamed has one of them reported on and on, and the others not.
func TestUnnamedMakesRoomForUnnamed(t *testing.T) {
	s := newScene(t)
	for i := range 100 {
		s.report(fmt.Sprintf("zooid_%d", i), Up)
		s.wait(time.Millisecond)
	}
	s.report("zooid_100", Up)
	require.EqualValues(t, 1, s.Dropped())
	s.wait(31 * time.Second)
	s.report("zooid_0", Up)
	for i := range 99 {
		s.report(fmt.Sprintf("zooid_%d", 200+i), Up)
	}
	require.EqualValues(t, 1, s.Dropped())
	require.Equal(t, Up, s.row("zooid_0").State)
	s.report("named", Up)
	require.Equal(t, Up, s.row("named").State)
}

// TestRoomIsNotSearchedForEachMetric has many new components and no room: to look at all components for each would take
// longer than their reports are apart.
func TestRoomIsNotSearchedForEachMetric(t *testing.T) {
	s := newScene(t)
	for i := range 100 {
		s.report(fmt.Sprintf("old_%d", i), Up)
	}
	s.wait(30 * time.Second)
	s.report("old_0", Up)
	s.report("new_0", Up)
	s.wait(searchInterval / 2) // now they are stale
	s.report("new_1", Up)
	require.EqualValues(t, 2, s.Dropped())
	s.wait(searchInterval / 2)
	for i := range 100 {
		s.report(fmt.Sprintf("new_%d", i), Up)
	}
	require.EqualValues(t, 3, s.Dropped(), "one search finds all that can be spared, which is all but old_0")
	require.Equal(t, Up, s.row("new_98").State)
	s.report("old_0", Up)
	require.Len(t, s.View(s.now).Components, 100)
}

// TestExtremeTimesAndNumbers must not panic.
func TestExtremeTimesAndNumbers(t *testing.T) {
	for _, now := range []time.Time{start, time.Unix(0, 0), time.Unix(-1e6, 0), time.Unix(9e9, 0)} {
		s := newScene(t)
		s.now = now
		for _, at := range []time.Time{time.Unix(0, math.MinInt64), now.Add(-time.Hour), now, time.Unix(0, math.MaxInt64)} {
			s.Status.Report(Report{Key: Key{Source{Bus: bus}, "a"}, At: at, State: Silent, Silence: math.MaxFloat64, Beats: 1}, now)
			s.wait(time.Second)
		}
		s.report("a", Up)
		require.Equal(t, Up, s.row("a").State)
	}
}

func TestOutputIsKnownWhileItIsReported(t *testing.T) {
	s := newScene(t)
	require.Empty(t, s.View(s.now).Outputs)
	s.Status.Output(Output{Name: "host", At: s.now, Pending: 2}, s.now)
	s.Status.Output(Output{Name: "host", At: s.now.Add(-time.Second), Publishing: true}, s.now)
	want := OutputRow{Name: "host", Known: true, Pending: 2, Reported: epoch(s.now)}
	require.Equal(t, []OutputRow{want}, s.View(s.now).Outputs, "an older report changes nothing")
	s.wait(31 * time.Second)
	want.Known = false
	require.Equal(t, []OutputRow{want}, s.View(s.now).Outputs)
	s.wait(24 * time.Hour)
	require.Empty(t, s.View(s.now).Outputs)
}

func TestOutputsAreBounded(t *testing.T) {
	s := newScene(t)
	for i := range 200 {
		s.Status.Output(Output{Name: fmt.Sprint(i), At: s.now}, s.now)
	}
	require.Len(t, s.View(s.now).Outputs, 100)
	require.EqualValues(t, 100, s.Dropped())
}
