package detector

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

const second = time.Second

// config has short times.
var config = configOf(Rule{Threshold: 30 * second, LateAfter: 15 * second})

// configOf is a configuration in which one rule applies to all, and no gap is one of many.
func configOf(r Rule) Config {
	r.RetireAfter = 1 << 62
	r.Severity = "critical"
	r.Gaps = true
	return Config{
		BlindAfter:     3 * second,
		ReportInterval: 10 * second,
		Rule:           func(string, string) *Rule { return &r },
		ExpectWithin:   60 * second,
		OutageCount:    1 << 30,
		OutageWindow:   10 * second,
		FlapCount:      1 << 30,
		FlapWindow:     600 * second,
	}
}

// observe feeds a tick each second, from just after one time to another, and returns what
// it found apart from reports.
func observe(d *Detector, from, to time.Duration) []Finding {
	var changes []Finding
	for at := from + second; at <= to; at += second {
		for _, f := range d.Tick(0, at) {
			if f.Change != Report {
				changes = append(changes, f)
			}
		}
	}
	return changes
}

func beatOf(key string, at time.Duration) *Beat {
	return &Beat{Key: key, Observed: at, LastSeen: 1e9 + at.Seconds(), Beats: 1}
}

func TestLifeAndDeath(t *testing.T) {
	d := New(&config, "")
	require.Empty(t, d.Tick(0, 0))
	d.Tick(0, 1*second)
	found := d.Beat(beatOf("a", 1*second))
	require.Len(t, found, 1)
	require.Equal(t, Finding{Key: "a", Change: FirstHeard, Status: &Status{
		State: Up, Alive: true, Beats: 1, Threshold: 30 * second, Availability: 1,
	}}, found[0])
	require.Empty(t, observe(d, 1*second, 11*second))
	require.Empty(t, d.Beat(beatOf("a", 11*second)))

	found = observe(d, 11*second, 46*second)
	require.Len(t, found, 2)
	require.Equal(t, StateChanged, found[0].Change)
	require.Equal(t, Late, found[0].Status.State)
	require.Equal(t, 16*second, found[0].Status.Silence)
	require.Nil(t, found[0].Gap)

	require.Equal(t, WentSilent, found[1].Change)
	require.Equal(t, Silent, found[1].Status.State)
	require.Equal(t, 31*second, found[1].Status.Silence)
	require.Equal(t, 10*second, found[1].Status.Life)
	require.EqualValues(t, 1, found[1].Status.Gaps)
	opened := *found[1].Gap
	require.Equal(t, Gap{
		IncidentID: opened.IncidentID,
		Type:       gaptype.Missing,
		Open:       true,
		LastSeen:   1e9 + 11,
		Missing:    31 * second,
		Threshold:  30 * second,
		Severity:   "critical",
		Reason:     `no heartbeat from "a" for 31.0 s, threshold 30 s`,
	}, opened)

	found = d.Beat(beatOf("a", 47*second))
	require.Len(t, found, 1)
	require.Equal(t, CameBack, found[0].Change)
	require.Equal(t, Up, found[0].Status.State)
	require.Zero(t, found[0].Status.Life, "a new life")
	require.InDelta(t, 41.0/46, found[0].Status.Availability, 1e-9, "heard since 1 s, silent from 42 s to 47 s")
	require.InDelta(t, 10, found[0].Status.Interval, 1e-9, "the outage is no interval")
	require.False(t, found[0].Gap.Open)
	require.Equal(t, opened.IncidentID, found[0].Gap.IncidentID)
	require.Equal(t, opened.LastSeen, found[0].Gap.LastSeen)
	require.Equal(t, 36*second, found[0].Gap.Missing)
}

func TestLevelsAreRepeatedUntilClosed(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	d.Beat(beatOf("b", 0))
	var open, closed []time.Duration
	last := time.Duration(0)
	for at := second; at <= 100*second; at += second {
		found := append([]Finding(nil), d.Tick(0, at)...)
		if at%(5*second) == 0 {
			found = append(found, d.Beat(beatOf("b", at))...)
		}
		if at == 62*second {
			found = append(found, d.Beat(beatOf("a", at))...)
			last = at
		}
		reports := 0
		for _, f := range found {
			if f.Change == Report && f.Status != nil {
				reports++
			}
			switch {
			case f.Gap == nil:
			case f.Gap.Open:
				require.Equal(t, at-last, f.Gap.Missing)
				open = append(open, at)
			default:
				closed = append(closed, at)
			}
		}
		if at%(10*second) == 0 {
			require.Equal(t, 2, reports, "of both at %v", at)
		} else {
			require.Zero(t, reports, "at %v", at)
		}
	}
	require.Equal(t, []time.Duration{31 * second, 40 * second, 50 * second, 60 * second, 93 * second, 100 * second}, open)
	require.Equal(t, []time.Duration{62 * second, 70 * second, 80 * second}, closed)
}

func TestIncidentIDNamesTheFailureAlone(t *testing.T) {
	require.Equal(t, incidentID(gaptype.Missing, "a", 1795446803.8781514, 1), incidentID(gaptype.Missing, "a", 1795446803.8781514, 1))
	seen := make(map[string]bool)
	for _, id := range []string{
		incidentID(gaptype.Missing, "a", 1795446803.8781514, 1),
		incidentID(gaptype.Missing, "a", 1795446803.8781516, 1),
		incidentID(gaptype.Missing, "a", 1795446803, 1),
		incidentID(gaptype.Missing, "a1", 795446803, 1),
		incidentID(gaptype.Missing, "b", 1795446803.8781514, 1),
		incidentID("heartbeat_flapping", "a", 1795446803.8781514, 1),
	} {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
		require.False(t, seen[id])
		seen[id] = true
	}
	// Another version of this program must say the same; this is also what Python's uuid5 makes of it.
	require.Equal(t, "014e8079-7939-5027-bda8-173e9ecf6b64", incidentID(gaptype.Missing, "a", 1001, 1))
}

func TestKillInOrderOfAppearance(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	for _, key := range []string{"c", "a", "b"} {
		d.Beat(beatOf(key, 0))
	}
	var ended []string
	for _, f := range d.Kill(0, 0) {
		require.Equal(t, WasKilled, f.Change)
		require.Equal(t, Killed, f.Status.State)
		ended = append(ended, f.Key)
	}
	require.Equal(t, []string{"c", "a", "b"}, ended)
	require.Empty(t, d.Kill(0, 0), "the signal's second copy is no news")
	require.Empty(t, observe(d, 0, 100*second))
}

func TestSecondKillHasItsOwnGrace(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	d.Kill(0, 0)
	observe(d, 0, 20*second)
	d.Kill(0, 20*second)
	require.Empty(t, d.Beat(beatOf("a", 21*second)), "on its way when the second signal came")
	require.Empty(t, observe(d, 20*second, 100*second))
}

func TestKilledTimeIsNeitherUpNorDown(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 40*second) // silent from 31 s
	d.Beat(beatOf("a", 40*second))
	d.Kill(0, 40*second)
	observe(d, 40*second, 1000*second)
	found := d.Beat(beatOf("a", 1000*second))
	require.Len(t, found, 1)
	require.InDelta(t, 31.0/40, found[0].Status.Availability, 1e-9)
}

func TestFindingsOfNothing(t *testing.T) {
	d := New(&config, "")
	require.Empty(t, d.Kill(0, 5*second))
	require.Empty(t, d.Beat(&Beat{Key: "a", Observed: 5 * second}))
	require.Empty(t, d.Beat(&Beat{Key: "a", Observed: 5 * second, Starts: 1}))
	require.Empty(t, observe(d, 5*second, 100*second))
}

// TestEverySilenceIsFound lets many components beat at random, with late beats, lost metrics and restarts of the
// input, and compares every verdict after every tick with what a look at each one's silence says.
func TestEverySilenceIsFound(t *testing.T) {
	gaps := 0
	for seed := range int64(60) {
		gaps += many(t, rand.New(rand.NewSource(seed)))
	}
	require.Greater(t, gaps, 300, "too peaceful to prove anything")
}

func many(t *testing.T, random *rand.Rand) (gaps int) {
	var r Rule
	r.Threshold = second + time.Duration(random.Int63n(int64(20*second)))
	r.LateAfter = r.Threshold - time.Duration(random.Int63n(int64(r.Threshold)))
	if random.Intn(3) == 0 {
		r.LateAfter = r.Threshold - time.Duration(random.Intn(3))
	}
	c := configOf(r)
	d := New(&c, "")

	// What is true: the detector's time, and what it was at recent readings of the input's clock.
	type moment struct{ observed, now time.Duration }
	var past []moment
	var present moment
	last := make(map[string]time.Duration)

	// What the detector said last.
	said := make(map[string]State)
	incident := make(map[string]string)
	ids := make(map[string]bool)
	hear := func(findings []Finding) {
		for _, f := range findings {
			if f.Status == nil {
				require.True(t, ids[f.Gap.IncidentID] && !f.Gap.Open, "only the end of a gap comes alone, again")
				continue
			}
			said[f.Key] = f.Status.State
			open := incident[f.Key]
			switch {
			case f.Gap == nil:
				require.Empty(t, open)
			case f.Gap.Open && open == "":
				require.False(t, ids[f.Gap.IncidentID], "one incident for two outages")
				ids[f.Gap.IncidentID] = true
				incident[f.Key] = f.Gap.IncidentID
				gaps++
			case f.Gap.Open:
				require.Equal(t, open, f.Gap.IncidentID)
			default:
				require.Equal(t, open, f.Gap.IncidentID)
				incident[f.Key] = ""
			}
		}
	}

	hear(d.Tick(0, 0))
	for step := range 500 {
		forward := time.Duration(random.Int63n(int64(c.BlindAfter)))
		switch random.Intn(50) {
		case 0: // the input restarts
			present.observed, past = 0, nil
			hear(d.Tick(0, 0))
			continue
		case 1: // metrics were lost
			present.observed += c.BlindAfter + 1 + forward
		default:
			present.observed += forward
			present.now += forward
		}
		past = append(past, present)

		if random.Intn(3) > 0 {
			hear(d.Tick(0, present.observed))
		} else {
			key := fmt.Sprint(random.Intn(10))
			at := present
			if random.Intn(3) == 0 {
				// The beat waited on its way, and another one brings the time.
				hear(d.Tick(0, present.observed))
				at = past[max(0, len(past)-1-random.Intn(20))]
			}
			b := beatOf(key, at.observed)
			b.LastSeen = float64(step)
			known, was := last[key]
			if !was && present.now-at.now > r.LateAfter {
				at = present
			}
			last[key] = max(known, at.now)
			hear(d.Beat(b))
			hear(d.Tick(0, present.observed))
		}

		for key, at := range last {
			if d.uncounted(d.components[key]) > 0 {
				continue // one of its beats may be missing
			}
			want := Up
			if silence := present.now - at; silence > r.Threshold {
				want = Silent
			} else if silence > r.LateAfter {
				want = Late
			}
			require.Equal(t, want, said[key], "%s, heard %v before %v, threshold %v, late after %v",
				key, present.now-at, present.now, r.Threshold, r.LateAfter)
			require.Equal(t, want == Silent, incident[key] != "")
		}
	}
	return gaps
}
