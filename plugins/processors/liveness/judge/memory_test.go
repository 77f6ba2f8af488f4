package judge

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// restarted is a judge with the memory of another, as it is saved and loaded.
func restarted(t require.TestingT, c Config, j *Judge) *Judge {
	text, err := json.Marshal(j.Memory())
	require.NoError(t, err)
	var m Memory
	require.NoError(t, json.Unmarshal(text, &m))
	restored := New(c)
	require.NoError(t, restored.Restore(&m))
	return restored
}

func TestRestoreForgetsWhoIsNotJudgedAnyMore(t *testing.T) {
	before := config
	before.Expected = []string{"missed", "awaited"}
	j := New(before)
	j.Tick("s", 0)
	for _, key := range []string{"up", "ignored", "silent", "ignored and silent"} {
		j.Beat(beatOf(key, 0))
	}
	for at := second; at <= 100*second; at += second {
		j.Tick("s", at)
		j.Beat(beatOf("up", at))
		j.Beat(beatOf("ignored", at))
	}

	after := config
	after.Ignored = func(key string) bool { return key == "ignored" || key == "ignored and silent" }
	j = restarted(t, after, j)
	closed := make(map[string]bool)
	for _, f := range j.Tick("s", 101*second) {
		if f.Change == Forgotten {
			closed[f.Key] = f.Gap != nil && !f.Gap.Open
		}
	}
	require.Equal(t, map[string]bool{"missed": true, "awaited": true, "ignored": false, "ignored and silent": true}, closed)
	var open []string
	for _, f := range j.Tick("s", 110*second) {
		if f.Gap != nil {
			open = append(open, f.Key)
		}
	}
	require.Empty(t, open, "the step was no observed time")
	for _, f := range observe(j, 110*second, 120*second) {
		require.Equal(t, Late, f.Status.State)
	}
}

func TestRestoreTakesTodaysOptions(t *testing.T) {
	lazy := configOf(Rule{Threshold: 300 * second, LateAfter: 300 * second})
	lazy.ReportInterval = time.Hour
	j := New(lazy)
	j.Tick("s", 0)
	j.Beat(beatOf("a", 0))
	observe(j, 0, 100*second)

	eager := config
	eager.Expected = []string{"a", "new"}
	j = restarted(t, eager, j)
	found := j.Tick("s", 101*second)
	require.Len(t, found, 1)
	require.Equal(t, Stopped, found[0].Change, "by today's threshold")
	require.Equal(t, 30*second, found[0].Gap.Threshold)
	reports := 0
	for at := 102 * second; at <= 110*second; at += second {
		for _, f := range j.Tick("s", at) {
			if f.Change == Report {
				reports++
			}
		}
	}
	require.Equal(t, 2, reports, "by today's interval")
	var missed []time.Duration
	for at := 111 * second; at <= 200*second; at += second {
		for _, f := range j.Tick("s", at) {
			if f.Change == Missed {
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
	c.Adaptive = &Adaptive{Phi: 8, Min: 5 * second, Max: 120 * second}
	j := New(c)
	j.Tick("s", 0)
	at := time.Duration(0)
	beat := func(after time.Duration) time.Duration {
		observe(j, at, at+after)
		at += after
		j.Beat(beatOf("a", at))
		return j.components["a"].Threshold
	}
	wide := time.Duration(0)
	for range 2 * enoughIntervals {
		wide = beat(25 * second)
	}
	require.Greater(t, wide, 30*second)
	kept := beat(500 * second)
	j = restarted(t, c, j)
	require.Equal(t, kept, j.components["a"].Threshold)
}

func TestRestoreRefusesWhatCannotBe(t *testing.T) {
	for _, text := range []string{
		`null`,
		`{"version":2}`,
		`{"version":1,"components":[null]}`,
		`{"version":1,"components":[{"key":""}]}`,
		`{"version":1,"components":[{"key":"a"},{"key":"a"}]}`,
		`{"version":1,"components":[{"key":"a","phase":5}]}`,
		`{"version":1,"components":[{"key":"a","phase":200}]}`,
		`{"version":1,"components":[{"key":"a","last":9223372036854775807}]}`,
		`{"version":1,"components":[{"key":"a","intervals":{"mean":-1}}]}`,
		`{"version":1,"components":[{"key":"a","sightings":[null]}]}`,
		`{"version":1,"sensors":{"all":[null]}}`,
		`{"version":1,"crowd":{"masses":[null]}}`,
		`{"version":1,"crowd":{"masses":[{}]}}`,
		`{"version":1,"crowd":{"masses":[{"members":{"a":true}}]}}`,
		`{"version":1,"components":[{"key":"a"}],"crowd":{"masses":[{"id":"x","members":{"a":true}}]}}`,
	} {
		var m Memory
		require.NoError(t, json.Unmarshal([]byte(text), &m), text)
		j := New(config)
		require.Error(t, j.Restore(&m), text)
		require.Empty(t, j.Tick("s", 0), "it is as it was")
		require.Len(t, j.Beat(beatOf("a", 0)), 1)
	}
}

// FuzzRestore loads any state, and lets the judge go on from it.
func FuzzRestore(f *testing.F) {
	c := config
	c.Expected = []string{"ghost"}
	c.MassCount, c.FlapCount = 2, 2
	c.FlapWindow = 200 * second
	c.Adaptive = &Adaptive{Phi: 8, Min: 5 * second, Max: 120 * second}
	j := New(c)
	save := func() {
		text, err := json.Marshal(j.Memory())
		require.NoError(f, err)
		f.Add(text)
	}
	save()
	for at := time.Duration(0); at < 300*second; at += second {
		j.Tick("s1", at)
		j.Tick("s2", at/2)
		if at < 100*second || at > 150*second && at < 180*second {
			for _, key := range []string{"a", "b", "c", "d"} {
				b := beatOf(key, at)
				b.Sensor = "s1"
				j.Beat(b)
			}
		}
		if at%(60*second) == 0 {
			save()
		}
	}
	j.Kill("s1", 300*second)
	save()
	f.Add([]byte(`{"version":1,"sensors":{"now":9223372036854775807,"lead":"s1","all":[{"id":"s1","started":true,"now":-9223372036854775808}]},` +
		`"components":[{"key":"a","last":-9223372036854775808,"flaps":{"incident":"x"}},{"key":"b","phase":2,"last":9223372036854775807,"flaps":{"incident":"y"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Memory
		if json.Unmarshal(text, &m) != nil {
			return
		}
		j := New(c)
		if j.Restore(&m) != nil {
			return
		}
		for at := time.Duration(0); at < 200*second; at += 3 * second {
			j.Tick("s1", at)
			j.Beat(beatOf("a", at))
			j.Beat(&Beat{Sensor: "s2", Key: "b", Observed: at / 2, Beats: 1, Starts: 1})
		}
		j.Kill("s2", 100*second)
		if _, err := json.Marshal(j.Memory()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSameKeyOfAnotherIdentity has identity change and the names stay: who beats before the first tick is there.
func TestSameKeyOfAnotherIdentity(t *testing.T) {
	c := config
	c.Identity = "zooid"
	j := New(c)
	j.Tick("s", 0)
	j.Beat(beatOf("lives", 0))
	j.Beat(beatOf("gone", 0))
	c.Identity = "name"
	j = restarted(t, c, restarted(t, c, j)) // twice before the first tick
	require.Empty(t, j.Beat(beatOf("lives", second)))
	found := observe(j, second, 100*second)
	require.Equal(t, Forgotten, found[0].Change)
	require.Equal(t, "gone", found[0].Key)
	require.Equal(t, Late, found[1].Status.State)
	require.Equal(t, Stopped, found[2].Change)
	require.Equal(t, "lives", found[2].Key)
	require.Len(t, found, 3)
}

// TestAbandonedThatBeats has somebody beat, before the first tick, who was expected when the state was saved.
func TestAbandonedThatBeats(t *testing.T) {
	c := config
	c.Expected = []string{"a"}
	j := New(c)
	j.Tick("s", 0)
	saved := j.Memory()
	j = New(config)
	require.NoError(t, j.Restore(saved))
	require.Len(t, j.Beat(beatOf("a", second)), 1)
	require.Empty(t, j.Tick("s", 2*second), "it is not forgotten")
}

// TestOpeningsAreBounded has more gaps than a window can hold, with mass incidents turned off.
func TestOpeningsAreBounded(t *testing.T) {
	j := New(config)
	for i := range time.Duration(100) {
		j.Beat(beatOf("a", 40*i*second))
		for s := time.Duration(0); s < 40; s++ {
			j.Tick("s", (40*i+s)*second)
		}
	}
	require.NotZero(t, j.components["a"].Gaps)
	require.LessOrEqual(t, len(j.crowd.Openings), 1)
}
