package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// closedIn returns the ids of the gaps that are closed in findings.
func closedIn(findings []Finding) (ids []string) {
	for _, f := range findings {
		if f.Gap != nil && !f.Gap.Open {
			ids = append(ids, f.Gap.IncidentID)
		}
	}
	return ids
}

// TestEndIsRepeated loses the end of a gap, and restarts: the next two reports say so, and no further one.
func TestEndIsRepeated(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 41*second)
	ended := closedIn(d.Beat(beatOf("a", 41*second)))
	require.Len(t, ended, 1)
	reports := make(map[time.Duration][]string)
	for at := 42 * second; at <= 80*second; at += second {
		d = restarted(t, &config, d)
		if closed := closedIn(d.Tick(0, at)); closed != nil {
			reports[at] = closed
		}
		d.Beat(beatOf("a", at))
	}
	require.Equal(t, map[time.Duration][]string{50 * second: ended, 60 * second: ended}, reports)
}

// TestEndBesideADueReport has the closing beat come when a report is due already, before the tick that brings it. That
// report is the first of the two that repeat the end.
func TestEndBesideADueReport(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 49*second)
	ended := closedIn(d.Beat(beatOf("a", 51*second)))
	require.Len(t, ended, 1)
	reports := make(map[time.Duration][]string)
	for at := 51 * second; at <= 90*second; at += second {
		if closed := closedIn(d.Tick(0, at)); closed != nil {
			reports[at] = closed
		}
		d.Beat(beatOf("a", at))
	}
	require.Equal(t, map[time.Duration][]string{51 * second: ended, 60 * second: ended}, reports)
}

// TestEndComesBeforeTheNextGap opens the next gap of a component before the end of the last one was repeated twice.
func TestEndComesBeforeTheNextGap(t *testing.T) {
	c := configOf(Rule{Threshold: 3 * second, LateAfter: 3 * second})
	c.ReportInterval = 20 * second
	d := New(&c, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 5*second)
	ended := closedIn(d.Beat(beatOf("a", 5*second)))
	require.Len(t, ended, 1)
	var found []Finding
	for at := 6 * second; at <= 9*second; at += second {
		found = append(found, d.Tick(0, at)...)
	}
	require.Len(t, found, 2)
	require.Equal(t, ended, closedIn(found[:1]))
	require.True(t, found[1].Gap.Open)
	require.Empty(t, closedIn(observe(d, 9*second, 60*second)), "and not afterwards")
}

// TestEndComesBeforeTheNextOutage has the next outage be named after the same component before the end of the last one was
// repeated twice.
func TestEndComesBeforeTheNextOutage(t *testing.T) {
	c := configOf(Rule{Threshold: 3 * second, LateAfter: 3 * second})
	c.ReportInterval = 20 * second
	c.OutageCount, c.OutageWindow = 1, 2*second
	d := New(&c, "")
	keys := []string{"a", "b", "c"}
	beat := func(at time.Duration) (found []Finding) {
		for _, key := range keys {
			found = append(found, d.Beat(beatOf(key, at))...)
		}
		return found
	}
	d.Tick(0, 0)
	beat(0)
	observe(d, 0, 8*second)
	ended := closedIn(beat(8 * second))
	require.Len(t, ended, 2, "the first that was silent and the others")
	var found []string
	for at := 9 * second; at <= 14*second; at += second {
		for _, f := range d.Tick(0, at) {
			if f.Gap != nil && f.Gap.Type == gaptype.Outage {
				found = append(found, fmt.Sprintf("%s open=%t first=%t", f.Key, f.Gap.Open, f.Gap.IncidentID == ended[1]))
			}
		}
	}
	require.Equal(t, []string{"b open=false first=true", "b open=true first=false"}, found)
	require.Empty(t, closedIn(observe(d, 14*second, 60*second)), "and not afterwards")
}

// TestEndComesBeforeAnAdoptedGap has the next gap of a component, or the next outage that is named after it, be one that
// another detector reported.
func TestEndComesBeforeAnAdoptedGap(t *testing.T) {
	for _, kind := range []string{gaptype.Missing, gaptype.Outage} {
		c := configOf(Rule{Threshold: 3 * second, LateAfter: 3 * second})
		c.ReportInterval = 20 * second
		d := New(&c, "")
		level := func(id string, from time.Duration) *Level {
			return &Level{
				Gap: Gap{IncidentID: id, Type: kind, Open: true, LastSeen: 1e9 + from.Seconds(), Missing: 4 * second, Threshold: 3 * second, Size: 1},
				Key: "a", Members: []string{"a"}, At: midnight.Add(from + 4*second),
			}
		}
		tickAt(d, 0)
		d.Beat(beatAt("a", 0))
		tickAt(d, second)
		d.Adopt(level("first", 0))
		for at := 2 * second; at <= 5*second; at += second {
			tickAt(d, at)
		}
		require.Equal(t, []string{"first"}, closedIn(d.Beat(beatAt("a", 5*second))))
		tickAt(d, 6*second)
		d.Adopt(level("second", 5*second))
		var found []string
		for at := 7 * second; at <= 60*second; at += second {
			for _, f := range tickAt(d, at) {
				if f.Gap != nil {
					found = append(found, fmt.Sprintf("%v %s %t", at, f.Gap.IncidentID, f.Gap.Open))
				}
			}
		}
		require.Contains(t, found, "9s first false", kind)
		require.NotContains(t, found, "20s first false", kind)
		require.Contains(t, found, "20s second true", kind)
	}
}

// TestConstantTimestamp has a component that sends the same ts with each beat. Each of its failures is an incident of
// its own, of the same id on a second monitor and after a restart.
func TestConstantTimestamp(t *testing.T) {
	config := config
	config.OutageCount = 100
	beat := func(at time.Duration) *Beat { return &Beat{Key: "a", Observed: at, LastSeen: 7, Beats: 1} }
	one, other := New(&config, ""), New(&config, "")
	ids := make(map[string]bool)
	for at := time.Duration(0); at < 200*second; at += 50 * second {
		one.Tick(0, at+second/2)
		other.Tick(0, at)
		one.Beat(beat(at))
		other.Beat(beat(at))
		one = restarted(t, &config, one)
		var opened []string
		for _, d := range []*Detector{one, other} {
			for tick := at + second; tick < at+50*second; tick += second {
				for _, f := range d.Tick(0, tick) {
					if f.Change == WentSilent {
						opened = append(opened, f.Gap.IncidentID)
					}
				}
			}
		}
		require.Len(t, opened, 2)
		require.Equal(t, opened[0], opened[1])
		require.NotContains(t, ids, opened[0])
		ids[opened[0]] = true
	}
}
