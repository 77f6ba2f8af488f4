package liveness

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

func expecting(t *testing.T, file string, names ...string) *run {
	t.Helper()
	return start(t, file, func(l *Liveness) {
		l.Expected, l.ExpectWithin = names, config.Duration(10*time.Second)
	})
}

// both lets some components beat on the first of two buses only.
func (r *run) both(from, to int, names ...string) []string {
	r.t.Helper()
	var found []string
	for at := from; at <= to; at++ {
		found = append(found, r.hear("one", 1, at, at, names...)...)
		found = append(found, r.hear("two", 1, at, at)...)
	}
	return found
}

func TestExpectedOnAnyBus(t *testing.T) {
	r := expecting(t, "", "a", "ghost")
	require.Equal(t, []string{"one/ghost heartbeat_never_seen true"}, r.both(0, 11, "a"), "once in the process")

	r = expecting(t, "", "a")
	require.Empty(t, r.both(0, 5))
	require.Empty(t, r.hear("two", 1, 6, 20, "a"), "it appeared on the second bus")
	require.Empty(t, r.hear("one", 1, 6, 20), "and is not missed on the first")
}

func TestExpectedThatAppearsElsewhereTooLate(t *testing.T) {
	r := expecting(t, "", "a")
	require.Equal(t, []string{"one/a heartbeat_never_seen true"}, r.both(0, 11))
	require.Equal(t, []string{"one/a heartbeat_never_seen false"}, r.hear("two", 1, 12, 13, "a"))
	require.NotContains(t, fmt.Sprint(r.hear("one", 1, 12, 40)), "true")
}

func TestExpectedOnOneBus(t *testing.T) {
	r := expecting(t, "", "two tcp://127.0.0.1:5559/a")
	require.Equal(t, []string{"two/a heartbeat_never_seen true"}, r.both(0, 11, "a"), "it is heard on the first bus only")
}

// TestExpectedOnABusThatIsNotHeard has the name of a bus be written wrongly: nothing else would say so.
func TestExpectedOnABusThatIsNotHeard(t *testing.T) {
	r := expecting(t, "", "two tcp://127.0.0.1:5559/a", "Two/a")
	r.both(0, 29, "a")
	require.Empty(t, r.log.Warnings())
	r.both(30, 90, "a")
	require.Len(t, r.log.Warnings(), 1)
	require.Contains(t, r.log.Warnings()[0], `Expected components of the bus "Two" are not monitored: no tick of it came for 30s, and others did, such as of "one tcp://127.0.0.1:5559".`)
}

func TestExpectedOnEveryBus(t *testing.T) {
	r := expecting(t, "", "*/a")
	require.Equal(t, []string{"one/a heartbeat_never_seen true", "two/a heartbeat_never_seen true"}, r.both(0, 11))
	ids := make(map[any]bool)
	for _, host := range []string{"one", "two"} {
		r.hear(host, 1, 12, 12)
		for _, g := range gaps(&r.acc) {
			ids[g.Fields["incident_id"]] = true
		}
	}
	require.Len(t, ids, 2, "one failure for each bus")
}

func TestExpectedIsRememberedWhereItWasHeard(t *testing.T) {
	file := stateFile(t)
	r := expecting(t, file, "a")
	r.both(0, 2)
	r.hear("two", 1, 3, 9, "a")
	r.Stop()
	r = expecting(t, file, "a")
	found := r.both(10, 30)
	require.Equal(t, []string{"two/a heartbeat_missing true"}, slices.Compact(found), "and never_seen on no bus")
}

// TestExpectedOnBothOfABusThatIsHeardAfterAll has components be expected on every bus. One never comes, and was missed on the
// former bus before the restart or not; the other one is only there. Both are missed on the bus that had inherited.
func TestExpectedOnBothOfABusThatIsHeardAfterAll(t *testing.T) {
	for _, known := range []int{3, 12} {
		file := stateFile(t)
		r := expecting(t, file, "*/ghost", "*/a")
		r.hear("old", 1, 0, known, "a")
		r.Stop()
		r = expecting(t, file, "*/ghost", "*/a")
		r.hear("new", 2, 100, 132, "b")
		r.hear("old", 3, 200, 200, "a")
		for at := 1; at < 60; at++ {
			r.hear("old", 3, 200+at, 200+at, "a")
			r.hear("new", 2, 132+at, 132+at, "b")
		}
		var open []string
		for _, b := range r.buses.all {
			for _, f := range openLevels(b.detector) {
				open = append(open, b.values[0]+"/"+f.Key+" "+f.Gap.Type)
			}
		}
		require.ElementsMatch(t, []string{"old/ghost heartbeat_never_seen", "new/ghost heartbeat_never_seen", "new/a heartbeat_never_seen"}, open)
	}
}
