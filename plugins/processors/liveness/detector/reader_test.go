package detector

import (
	"maps"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// plain is a test without the method Helper, which would take a quarter of the time.
type plain struct{ t *rapid.T }

func (p plain) Errorf(format string, args ...any) { p.t.Errorf(format, args...) }
func (p plain) FailNow()                          { p.t.FailNow() }

// reader is what is known by the findings alone.
type reader struct {
	t        plain
	w        *world
	own      map[string]*Gap // open incidents of one component
	outages  map[string]*Gap // open outages
	members  map[string]string
	waiting  map[string]time.Duration // since when a component may be part of an outage that is not reported yet
	state    map[string]*Status
	opened   []time.Duration // when incidents were, by the detector's clock
	stopped  []time.Duration // when a component fell silent
	changes  []Finding       // of the last call
	closed   map[string]bool // incidents
	repeated map[string]int  // how often they were since
	joined   map[string]bool // which were reported as members of an outage in it
}

func newReader(t *rapid.T, w *world) *reader {
	return &reader{
		t: plain{t}, w: w,
		own: make(map[string]*Gap), outages: make(map[string]*Gap), members: make(map[string]string),
		closed: make(map[string]bool), repeated: make(map[string]int),
		waiting: make(map[string]time.Duration), state: make(map[string]*Status),
	}
}

// Take checks what can be checked of findings alone: an incident is opened once and closed once, there is at
// most one for a component, and not too many are opened in a short time.
func (r *reader) Take(findings []Finding, now time.Duration) {
	t := r.t
	r.changes, r.joined = nil, make(map[string]bool)
	for _, f := range findings {
		if f.Status != nil {
			if f.Change != Report {
				r.changes = append(r.changes, f)
			}
			r.state[f.Key] = f.Status
			if f.Change == WasRetired {
				delete(r.state, f.Key)
			}
			if _, waits := r.waiting[f.Key]; waits && f.Change == WasRetired && r.w.rules[f.Key].Gaps {
				require.True(t, r.own[f.Key] != nil || r.members[f.Key] != "", "%q is retired and was not reported", f.Key)
			}
			if f.Status.Alive || f.Change == WasKilled || f.Change == WasStopped || f.Change == WasRetired {
				delete(r.members, f.Key)
				delete(r.waiting, f.Key)
			}
		}
		if f.Status != nil && (f.Change == WentSilent || f.Change == NeverSeen) {
			if f.Gap == nil && recent(r.stopped, now, r.w.OutageWindow) >= r.w.OutageCount {
				r.waiting[f.Key] = now
			}
			r.stopped = append(r.stopped, now)
		}
		g := f.Gap
		if g == nil {
			continue
		}
		if !g.Open && f.Change == Report {
			r.repeated[g.IncidentID]++
			require.LessOrEqual(t, r.repeated[g.IncidentID], 2, "repeated after its end")
			require.Contains(t, r.closed, g.IncidentID, "repeated before its end")
			continue
		}
		open, key := r.own, f.Key
		if g.Type == gaptype.Outage {
			open, key = r.outages, g.IncidentID
		}
		was := open[key]
		switch {
		case !g.Open && was == nil:
			require.Fail(t, "closed what is not open", "%+v", g)
		case !g.Open:
			require.Equal(t, was.IncidentID, g.IncidentID)
			require.Equal(t, was.Type, g.Type)
			delete(open, key)
			require.NotContains(t, r.closed, g.IncidentID, "closed twice")
			r.closed[g.IncidentID] = true
			continue
		case was == nil:
			require.NotEqual(t, Report, f.Change, "opened by a report")
			r.opened = append(r.opened, now)
		default:
			require.Equal(t, was.IncidentID, g.IncidentID, "two open incidents of %q", key)
			require.Equal(t, was.Type, g.Type)
			require.Equal(t, Report, f.Change, "opened twice")
			require.Subset(t, was.Members, g.Members, "a member that joins is not reported")
		}
		open[key] = g
		if g.Type != gaptype.Outage {
			require.Empty(t, r.members[key], "has an incident and is a member of one")
			continue
		}
		require.Len(t, g.Members, g.Size)
		require.NotEmpty(t, g.Members)
		maps.DeleteFunc(r.members, func(_, id string) bool { return id == g.IncidentID })
		for _, member := range g.Members {
			require.Nil(t, r.own[member], "is a member of an incident and has one")
			require.Empty(t, r.members[member], "is a member of two")
			r.members[member] = g.IncidentID
			r.joined[member] = r.joined[member] || was == nil
		}
	}
	require.LessOrEqual(t, recent(r.opened, now, r.w.OutageWindow), r.w.OutageCount+1, "opened in a window before %v", now)
}

// recent returns how many of the times are within a window before now.
func recent(times []time.Duration, now, window time.Duration) int {
	n := 0
	for _, at := range times {
		if now-at < window {
			n++
		}
	}
	return n
}

// Covered reports whether somebody silent is known to be: by an incident of its own, or as one of many. After many
// others that may take as long as the window.
func (r *reader) Covered(name string, now time.Duration) bool {
	since, waits := r.waiting[name]
	return r.own[name] != nil || r.members[name] != "" || waits && now-since < r.w.OutageWindow
}
