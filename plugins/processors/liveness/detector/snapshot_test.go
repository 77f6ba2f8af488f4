package detector

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// restarted is a detector that was restored from the snapshot of another, as it is saved and loaded.
func restarted(t require.TestingT, c *Config, d *Detector) *Detector {
	text, err := json.Marshal(d.Snapshot())
	require.NoError(t, err)
	var s Snapshot
	require.NoError(t, json.Unmarshal(text, &s))
	restored := New(c, "")
	require.Empty(t, restored.Restore(&s))
	return restored
}

func TestRestoreRetiresWhatIsNotJudgedAnyMore(t *testing.T) {
	before := config
	before.Expected = []string{"missed", "awaited"}
	d := New(&before, "")
	d.Tick(0, 0)
	for _, key := range []string{"up", "ignored", "silent", "ignored and silent"} {
		d.Beat(beatOf(key, 0))
	}
	for at := second; at <= 100*second; at += second {
		d.Tick(0, at)
		d.Beat(beatOf("up", at))
		d.Beat(beatOf("ignored", at))
	}

	after := config
	after.Ignored = func(key string) bool { return key == "ignored" || key == "ignored and silent" }
	d = restarted(t, &after, d)
	closed := make(map[string]bool)
	for _, f := range d.Tick(0, 101*second) {
		if f.Change == WasRetired {
			closed[f.Key] = f.Gap != nil && !f.Gap.Open
		}
	}
	require.Equal(t, map[string]bool{"missed": true, "awaited": true, "ignored": false, "ignored and silent": true}, closed)
	var open []string
	for _, f := range d.Tick(0, 110*second) {
		if f.Gap != nil {
			open = append(open, f.Key)
		}
	}
	require.Empty(t, open, "the step was no observed time")
	for _, f := range observe(d, 110*second, 120*second) {
		require.Equal(t, Late, f.Status.State)
	}
}

func TestRestoreTakesTodaysOptions(t *testing.T) {
	lazy := configOf(Rule{Threshold: 300 * second, LateAfter: 300 * second})
	lazy.ReportInterval = time.Hour
	d := New(&lazy, "")
	d.Tick(0, 0)
	for at := time.Duration(0); at <= 33*second; at += 3 * second {
		d.Beat(beatOf("a", at))
		observe(d, at, at+3*second)
	}
	observe(d, 36*second, 100*second)

	eager := config
	eager.Expected = []string{"a", "new"}
	d = restarted(t, &eager, d)
	found := d.Tick(0, 101*second)
	require.Len(t, found, 1)
	require.Equal(t, WentSilent, found[0].Change, "by today's threshold")
	require.Equal(t, 30*second, found[0].Gap.Threshold)
	reports := 0
	for at := 102 * second; at <= 110*second; at += second {
		for _, f := range d.Tick(0, at) {
			if f.Change == Report {
				reports++
			}
		}
	}
	require.Equal(t, 2, reports, "by today's interval")
	var missed []time.Duration
	for at := 111 * second; at <= 200*second; at += second {
		for _, f := range d.Tick(0, at) {
			if f.Change == NeverSeen {
				missed = append(missed, at)
			}
		}
	}
	require.Equal(t, []time.Duration{161 * second}, missed, "expected since the restart")
}

// TestWiderThresholdOutlivesARestart is about a component that beats slowly, and had an outage: it keeps its
// threshold until its rhythm is known again.
func TestWiderThresholdOutlivesARestart(t *testing.T) {
	c := config
	c.Adaptive = &Adaptive{MistakesPerYear: 100, Forgive: 1, Min: 5 * second, Max: 120 * second}
	d := New(&c, "")
	d.Tick(0, 0)
	at := time.Duration(0)
	beat := func(after time.Duration) time.Duration {
		observe(d, at, at+after)
		at += after
		d.Beat(beatOf("a", at))
		return d.components["a"].threshold
	}
	wide := time.Duration(0)
	for range 2 * untilLearnt {
		wide = beat(25 * second)
	}
	require.Greater(t, wide, 30*second)
	kept := beat(500 * second)
	d = restarted(t, &c, d)
	require.Equal(t, kept, d.components["a"].threshold)
}

// FuzzRestore loads any state, and lets the detector go on from it.
func FuzzRestore(f *testing.F) {
	c := config
	c.Expected = []string{"ghost"}
	c.OutageCount, c.FlapCount = 2, 2
	c.FlapWindow = 200 * second
	c.Adaptive = &Adaptive{MistakesPerYear: 100, Forgive: 1, Min: 5 * second, Max: 120 * second}
	d := New(&c, "")
	save := func() {
		text, err := json.Marshal(d.Snapshot())
		require.NoError(f, err)
		f.Add(text)
	}
	save()
	for at := time.Duration(0); at < 300*second; at += second {
		d.Tick(7, at)
		if at < 100*second || at > 150*second && at < 180*second {
			for _, key := range []string{"a", "b", "c", "d"} {
				b := beatOf(key, at)
				b.Run = 7
				d.Beat(b)
			}
		}
		if at%(60*second) == 0 {
			save()
		}
	}
	d.Kill(7, 300*second)
	save()
	f.Add([]byte(`{"clock":{"started":true,"now":-9223372036854775808,"runs":[{"id":1},{"id":1}]},` +
		`"components":[{"key":"a","state":"up","last":-9223372036854775808,"flaps":{"incident":"x"}},` +
		`{"key":"b","state":"silent","last":-9223372036854775808,"flaps":{"incident":"y"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var s Snapshot
		if json.Unmarshal(text, &s) != nil {
			return
		}
		d := New(&c, "")
		d.Restore(&s)
		for at := time.Duration(0); at < 200*second; at += 3 * second {
			d.Tick(0, at)
			d.Beat(beatOf("a", at))
			d.Beat(&Beat{Key: "b", Observed: at / 2, Beats: 1, Starts: 1})
		}
		d.Kill(0, 100*second)
		if _, err := json.Marshal(d.Snapshot()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSameKeyOfAnotherIdentity changes identity and keeps the names: a component that beats before the first tick is up.
func TestSameKeyOfAnotherIdentity(t *testing.T) {
	c := config
	c.Identity = "zooid"
	d := New(&c, "")
	d.Tick(0, 0)
	d.Beat(beatOf("lives", 0))
	d.Beat(beatOf("gone", 0))
	c.Identity = "name"
	d = restarted(t, &c, restarted(t, &c, d)) // twice before the first tick
	require.Empty(t, d.Beat(beatOf("lives", second)))
	found := observe(d, second, 100*second)
	require.Equal(t, WasRetired, found[0].Change)
	require.Equal(t, "gone", found[0].Key)
	require.Equal(t, Late, found[1].Status.State)
	require.Equal(t, WentSilent, found[2].Change)
	require.Equal(t, "lives", found[2].Key)
	require.Len(t, found, 3)
}

// TestAbandonedThatBeats has a component beat before the first tick that was expected when the state was saved.
func TestAbandonedThatBeats(t *testing.T) {
	c := config
	c.Expected = []string{"a"}
	d := New(&c, "")
	d.Tick(0, 0)
	saved := d.Snapshot()
	d = New(&config, "")
	require.Empty(t, d.Restore(saved))
	require.Len(t, d.Beat(beatOf("a", second)), 1)
	require.Empty(t, d.Tick(0, 2*second), "it is not retired")
}

// TestOpeningsAreBounded has more gaps than a window can hold, with outages turned off.
func TestOpeningsAreBounded(t *testing.T) {
	d := New(&config, "")
	for i := range time.Duration(100) {
		d.Beat(beatOf("a", 40*i*second))
		for s := time.Duration(0); s < 40; s++ {
			d.Tick(0, (40*i+s)*second)
		}
	}
	require.NotZero(t, d.components["a"].gaps)
	require.LessOrEqual(t, len(d.opened), 1)
}
