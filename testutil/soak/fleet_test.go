package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlanOfAFleet has each fault as often as was asked for, and deaths before, in and after it.
func TestPlanOfAFleet(t *testing.T) {
	times := make(map[string]int)
	before, in, later := 0, 0, 0
	for _, r := range planFleet(1, 10) {
		times[r.fault.kind]++
		require.GreaterOrEqual(t, r.duration, r.fault.shortest)
		require.Less(t, r.duration, r.fault.longest)
		for _, d := range r.deaths {
			switch {
			case d.after < 0:
				before++
			case d.after < r.duration:
				in++
			default:
				later++
			}
		}
	}
	require.Len(t, times, len(fleetFaults))
	for kind, n := range times {
		require.Equal(t, 10, n, kind)
	}
	require.Positive(t, before)
	require.Positive(t, in)
	require.Positive(t, later)
	require.Equal(t, planFleet(1, 10)[7].duration, planFleet(1, 10)[7].duration)
	require.NotEqual(t, planFleet(1, 10)[7].duration, planFleet(2, 10)[7].duration)
}

// TestSurplusOfAFleet finds gaps that came without a death, and those that came again, each once.
func TestSurplusOfAFleet(t *testing.T) {
	handle := func(h *fleetHost, zooid, incident string) {
		h.gaps.handled = append(h.gaps.handled, handling{zooid: zooid, kind: gapMissing, incident: incident, at: time.Second})
	}
	one, two := &fleetHost{name: "one", gaps: &listener{}}, &fleetHost{name: "two", gaps: &listener{}}
	s := &fleetStage{hosts: []*fleetHost{one, two}}
	s.dead = []*deadFleet{{host: one, zooid: "a", incident: "1"}}
	s.ended = []*deadFleet{{host: one, zooid: "b", incident: "2"}}
	handle(one, "b", "2")
	handle(one, "a", "1")
	require.Empty(t, s.surplus())
	handle(two, "a", "1")
	require.Equal(t, []string{"false: a of two, heartbeat_missing, incident 1"}, s.surplus(), "it is of the other bus")
	handle(one, "b", "2")
	handle(one, "c", "4")
	require.Equal(t, []string{"doubled: b of one, incident 2", "false: c of one, heartbeat_missing, incident 4"}, s.surplus())
	require.Empty(t, s.surplus())
}
