package status

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const bus = "host tcp://bus"

var start = time.Unix(1_800_000_000, 0)

// scene is a status that hears of components of one bus.
type scene struct {
	*testing.T
	*Status
	now time.Time
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := New(Config{StaleAfter: 30 * time.Second, History: 24 * time.Hour, MaxComponents: 100, MaxEvents: 100})
	return &scene{t, s, start}
}

func (s *scene) wait(d time.Duration) {
	s.now = s.now.Add(d)
}

func (s *scene) report(name string, state State) {
	s.Status.Report(Report{
		Key: Key{Source{Bus: bus}, name}, At: s.now, State: state, Up: state == Up || state == Late, Beats: 7, Threshold: 30,
	}, s.now)
}

// heard says that the bus can be heard.
func (s *scene) heard() {
	s.unjudged(0)
}

// unjudged says that the bus can be heard, and how many of its components cannot be judged.
func (s *scene) unjudged(n int64) {
	observable := true
	s.Status.Bus(Bus{Source: Source{Bus: bus}, At: s.now, Observable: &observable, Unjudged: n}, s.now)
}

func (s *scene) gap(incident string, open bool) {
	s.Status.Gap(Gap{Key: Key{Source{Bus: bus}, "a"}, At: s.now, Incident: incident, Open: open, Kind: "heartbeat_missing"}, s.now)
}

// row returns the row of a component.
func (s *scene) row(name string) Row {
	s.Helper()
	for _, row := range s.View(s.now).Components {
		if row.Name == name {
			return row
		}
	}
	s.Fatalf("there is no component %q", name)
	return Row{}
}

func TestNothingIsKnownBeforeTheFirstReport(t *testing.T) {
	s := newScene(t)
	v := s.View(s.now)
	require.False(t, v.Known)
	require.Equal(t, "no report came yet", v.Problem)
	s.heard()
	v = s.View(s.now)
	require.False(t, v.Known)
	require.Equal(t, "no component was reported yet", v.Problem)
}

func TestUnjudgedIsShownWhileItIsReported(t *testing.T) {
	s := newScene(t)
	s.unjudged(2)
	require.Zero(t, s.View(s.now).Buses[0].Unjudged, "no component was reported")
	s.report("a", Up)
	require.EqualValues(t, 2, s.View(s.now).Buses[0].Unjudged)
	s.wait(31 * time.Second)
	s.report("a", Up)
	require.Zero(t, s.View(s.now).Buses[0].Unjudged, "the bus was not reported of late")
	s.unjudged(1)
	require.EqualValues(t, 1, s.View(s.now).Buses[0].Unjudged)
	s.heard()
	require.Zero(t, s.View(s.now).Buses[0].Unjudged)
}

func TestReportedIsShown(t *testing.T) {
	s := newScene(t)
	s.heard()
	s.report("a", Up)
	s.wait(10 * time.Second)
	s.report("a", Silent)
	s.report("zooid_17", Up)
	v := s.View(s.now)
	require.True(t, v.Known)
	require.Empty(t, v.Problem)
	require.Equal(t, map[string]int{"silent": 1}, v.Counts)
	require.Equal(t, 1, v.Unnamed)
	row := s.row("a")
	require.Equal(t, Silent, row.State)
	require.Equal(t, epoch(s.now), row.Since)
	require.True(t, s.row("zooid_17").Unnamed)
}

// TestStaleReportsAreUnknown has reports end, as when Telegraf is stopped.
func TestStaleReportsAreUnknown(t *testing.T) {
	s := newScene(t)
	s.report("a", Up)
	s.wait(30 * time.Second)
	require.Equal(t, Up, s.row("a").State)
	s.wait(time.Second)
	v := s.View(s.now)
	require.False(t, v.Known)
	require.Equal(t, "no report for 31s", v.Problem)
	require.Equal(t, map[string]int{"unknown": 1}, v.Counts)
	require.Equal(t, Up, s.row("a").ReportedState)
	s.report("a", Up)
	require.True(t, s.View(s.now).Known)
}

// TestComponentThatIsNotReportedIsUnknown has one component missing in the reports, as when a metric was lost.
func TestComponentThatIsNotReportedIsUnknown(t *testing.T) {
	s := newScene(t)
	s.report("a", Up)
	s.report("zooid_17", Gone)
	s.wait(31 * time.Second)
	s.report("b", Up)
	require.True(t, s.View(s.now).Known)
	require.Equal(t, Unknown, s.row("a").State)
	require.Equal(t, Up, s.row("b").State)
	require.Equal(t, Gone, s.row("zooid_17").State, "what is gone is not reported again")
}

func TestBusThatCannotBeHeardIsUnknown(t *testing.T) {
	s := newScene(t)
	s.heard()
	s.report("a", Up)
	for _, b := range []struct {
		observable *bool
		suspended  bool
		problem    string
	}{
		{new(bool), false, "the bus cannot be heard"},
		{nil, false, "it is not known yet whether the bus can be heard"},
		{new(bool), true, "the bus is suspended for maintenance"},
	} {
		s.Status.Bus(Bus{Source: Source{Bus: bus}, At: s.now, Observable: b.observable, Suspended: b.suspended}, s.now)
		v := s.View(s.now)
		require.False(t, v.Known)
		if b.observable != nil {
			require.Equal(t, b.problem, v.Problem)
		}
		require.Equal(t, Unknown, s.row("a").State)
	}
	s.heard()
	require.Equal(t, Up, s.row("a").State)
	require.Equal(t, "the bus can be heard", s.View(s.now).Events[0].Text)
}

func TestBusesAndWatchesAreApart(t *testing.T) {
	s := newScene(t)
	other := Source{Watch: "hosts"}
	s.Status.Report(Report{Key: Key{other, "a"}, At: s.now, State: Up, Up: true}, s.now)
	s.wait(31 * time.Second)
	s.report("a", Silent)
	v := s.View(s.now)
	require.Len(t, v.Components, 2)
	require.Equal(t, Silent, v.Components[0].State)
	require.Equal(t, Unknown, v.Components[1].State)
	require.False(t, v.Known)
	require.Equal(t, `1 of 2 buses are not known, the first is "hosts": no report for 31s`, v.Problem)
}

func TestWorstIsFirst(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		name  string
		state State
	}{
		{"a", Up}, {"b", Late}, {"c", Silent}, {"d", Stopped}, {"e", Flapping}, {"f", Unseen}, {"g", Killed}, {"zooid_9", Gone}, {"zooid_8", Late}, {"a2", Up},
	} {
		s.report(c.name, c.state)
	}
	var names []string
	for _, row := range s.View(s.now).Components {
		names = append(names, row.Name)
	}
	require.Equal(t, []string{"c", "e", "f", "b", "g", "d", "a", "a2", "zooid_8", "zooid_9"}, names, "without a name last, whatever their state")
}

func TestLastSeenFollowsHeartbeats(t *testing.T) {
	s := newScene(t)
	key := Key{Source{Bus: bus}, "a"}
	s.Status.Report(Report{Key: key, At: s.now, State: Up, Up: true, Beats: 3, Silence: 4}, s.now)
	require.Equal(t, epoch(s.now)-4, s.row("a").LastSeen)
	s.wait(5 * time.Second)
	s.Status.Beat(Beat{Key: key, At: s.now, Beats: 1, Starts: 2}, s.now)
	s.Status.Beat(Beat{Key: key, At: s.now.Add(time.Hour), Beats: 0}, s.now)
	row := s.row("a")
	require.Equal(t, epoch(s.now), row.LastSeen)
	require.EqualValues(t, 2, row.Starts)
	s.report("unseen", Unseen)
	s.Status.Report(Report{Key: Key{Source{Bus: bus}, "b"}, At: s.now, State: Unseen, Silence: 9}, s.now)
	require.Zero(t, s.row("b").LastSeen)
}

func TestCopiesAndOldReportsChangeNothing(t *testing.T) {
	s := newScene(t)
	s.report("a", Up)
	old := s.now
	s.wait(10 * time.Second)
	s.report("a", Silent)
	s.Status.Report(Report{Key: Key{Source{Bus: bus}, "a"}, At: old, State: Up}, s.now)
	require.Equal(t, Silent, s.row("a").State)
	require.Len(t, s.View(s.now).Events, 1)
}

// TestReportsFromTheFuture has a host whose clock is ahead.
func TestReportsFromTheFuture(t *testing.T) {
	s := newScene(t)
	s.Status.Report(Report{Key: Key{Source{Bus: bus}, "a"}, At: s.now.Add(time.Hour), State: Up, Up: true}, s.now)
	require.Equal(t, Up, s.row("a").State)
	s.wait(31 * time.Second)
	require.Equal(t, Unknown, s.row("a").State)
}

func TestRetiredComponentIsRemoved(t *testing.T) {
	s := newScene(t)
	s.report("a", Silent)
	s.wait(time.Second)
	s.report("a", Retired)
	v := s.View(s.now)
	require.Empty(t, v.Components)
	require.Equal(t, Retired, *v.Events[0].To)
}

func TestGapIsShownWhileItIsOpen(t *testing.T) {
	s := newScene(t)
	s.report("a", Silent)
	s.gap("one", true)
	s.wait(10 * time.Second)
	s.report("a", Silent)
	s.gap("one", true)
	s.Delivered("one", s.now, s.now)
	s.Delivered("another", s.now, s.now)
	v := s.View(s.now)
	require.Len(t, v.Gaps, 1)
	require.True(t, v.Gaps[0].Known)
	require.Equal(t, epoch(start), v.Gaps[0].Opened)
	require.Equal(t, epoch(s.now), v.Gaps[0].Delivered)
	s.wait(10 * time.Second)
	for range 3 {
		s.gap("one", false)
	}
	v = s.View(s.now)
	require.Empty(t, v.Gaps)
	require.Equal(t, []Kind{GapClosed, GapOpened}, []Kind{v.Events[0].Kind, v.Events[1].Kind})
	require.Len(t, v.Events, 2)
}

// TestOldLevelOfAGapChangesNothing has the end of a gap come late, after it was opened again under the same id.
func TestOldLevelOfAGapChangesNothing(t *testing.T) {
	s := newScene(t)
	s.gap("one", true)
	s.wait(10 * time.Second)
	s.gap("one", true)
	s.Status.Gap(Gap{Key: Key{Source{Bus: bus}, "a"}, At: s.now.Add(-time.Second), Incident: "one"}, s.now)
	require.Len(t, s.View(s.now).Gaps, 1)
}

// TestGapThatIsNotRepeatedIsRemoved has a processor lose its state.
func TestGapThatIsNotRepeatedIsRemoved(t *testing.T) {
	s := newScene(t)
	s.gap("one", true)
	for range 6 {
		s.wait(10 * time.Second)
		s.report("a", Up)
	}
	require.False(t, s.View(s.now).Gaps[0].Known)
	s.wait(10 * time.Second)
	s.report("a", Up)
	v := s.View(s.now)
	require.Empty(t, v.Gaps)
	require.Equal(t, "the gap is no longer reported", v.Events[0].Text)
}

func TestLateAndUnnamedAreNoEvents(t *testing.T) {
	s := newScene(t)
	for _, state := range []State{Up, Late, Up, Silent, Up} {
		s.report("a", state)
		s.report("zooid_1", state)
		s.wait(time.Second)
	}
	events := s.View(s.now).Events
	require.Len(t, events, 2)
	require.Equal(t, []State{Silent, Up}, []State{*events[0].From, *events[0].To})
	require.Equal(t, []uint64{2, 1}, []uint64{events[0].Number, events[1].Number})
}

// TestAvailabilityWithinACell has less time than a cell of the history is long.
func TestAvailabilityWithinACell(t *testing.T) {
	s := newScene(t)
	for range 6 {
		s.report("a", Up)
		s.wait(10 * time.Second)
	}
	for range 18 {
		s.report("a", Silent)
		s.wait(10 * time.Second)
	}
	s.report("a", Silent)
	require.InDelta(t, 0.25, *s.row("a").Availability, 1e-6)
}

func TestHistoryAndAvailability(t *testing.T) {
	s := newScene(t)
	s.now = time.Unix(0, 0).Add(24 * 365 * 50 * time.Hour)
	reportFor := func(d time.Duration, state State) {
		for end := s.now.Add(d); s.now.Before(end); s.wait(10 * time.Second) {
			s.report("a", state)
		}
	}
	require.Zero(t, s.now.UnixNano()%int64(15*time.Minute), "a cell begins")
	reportFor(30*time.Minute, Up)
	reportFor(15*time.Minute, Silent)
	s.wait(30 * time.Minute) // nothing is reported
	reportFor(15*time.Minute, Up)
	s.report("a", Up)
	row := s.row("a")
	require.True(t, strings.HasSuffix(row.History, ".uus..u."), row.History)
	require.Len(t, row.History, Cells)
	require.InDelta(t, 0.75, *row.Availability, 0.005)

	s.wait(24*time.Hour - time.Second)
	s.report("a", Up)
	row = s.row("a")
	require.Equal(t, ".", strings.Trim(row.History, ".")+".")
	require.Nil(t, row.Availability)
}

// TestClockThatIsSetBack must not show for as long what was reported before, nor as known what is not reported any more.
func TestClockThatIsSetBack(t *testing.T) {
	for name, restart := range map[string]bool{"running": false, "stopped meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for range 60 {
				s.heard()
				s.report("a", Up)
				s.report("b", Up)
				s.gap("one", true)
				s.Status.Output(Output{Name: "host", At: s.now, Publishing: true}, s.now)
				s.wait(10 * time.Second)
			}
			s.View(s.now)
			if restart {
				s.Status = reload(t, s.Status, s.config)
			}
			s.wait(-3 * time.Hour)
			s.heard()
			s.report("a", Silent)
			s.gap("one", false)
			s.Status.Output(Output{Name: "host", At: s.now}, s.now)
			v := s.View(s.now)
			require.Empty(t, v.Gaps)
			require.False(t, v.Outputs[0].Publishing)
			row := s.row("a")
			require.Equal(t, Silent, row.State)
			require.LessOrEqual(t, row.LastSeen, epoch(s.now))
			require.LessOrEqual(t, v.Events[len(v.Events)-1].Time, epoch(s.now))
			s.wait(31 * time.Second)
			s.report("a", Silent)
			row = s.row("b")
			require.Equal(t, Unknown, row.State, "it is not reported any more")
			require.InDelta(t, epoch(s.now)-41, row.Reported, 1)
			require.Contains(t, row.History, "u")
			s.wait(20 * time.Second)
			s.report("a", Silent)
			require.Less(t, *s.row("a").Availability, 1.0)
			s.wait(31 * time.Second)
			require.False(t, s.View(s.now).Known)
		})
	}
}
