package liveness

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"
)

// onlooker is a processor beside the one with the file, not started.
func onlooker(t *testing.T, file string) *run {
	t.Helper()
	r := start(t, "")
	r.StateFile = file
	return r
}

// reported is the state of each component in a report.
func (r *run) reported() map[string]any {
	r.acc.ClearMetrics()
	r.Report(&r.acc, time.Unix(2000, 0))
	states := make(map[string]any)
	for _, m := range r.acc.Metrics {
		if m.Measurement == "liveness" {
			states[m.Tags["zooid"]] = m.Fields["state"]
		}
	}
	return states
}

// TestRecallKnowsWhatWasSaved lets one look on beside another.
func TestRecallKnowsWhatWasSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "liveness.json")
	r := start(t, file)
	r.Live(0, 2, "a", "b")
	r.Live(3, 8, "b")

	o := onlooker(t, file)
	recollection, err := o.Recall()
	require.NoError(t, err)
	require.Equal(t, file, recollection.Path)
	require.Len(t, recollection.Buses, 1)
	require.Equal(t, map[string]string{"host": "h"}, recollection.Buses[0].Tags)
	require.True(t, recollection.Buses[0].Heard.Equal(time.Unix(8, 0)))
	require.False(t, recollection.Outdated())
	require.Equal(t, map[string]any{"a": "silent", "b": "up"}, o.reported())

	// It finds gaps by itself from there, and whatever it finds is not written to the file.
	o.Tick(0)
	for second := 1; second <= 6; second++ {
		o.Tick(float64(second))
	}
	require.Equal(t, map[string]any{"a": "silent", "b": "silent"}, o.reported())
	o.Stop()
	require.False(t, recollection.Outdated())
	require.Equal(t, map[string]any{"a": "silent", "b": "up"}, r.reported(), "the one that is started")
	r.Live(9, 20, "a", "b")
	require.True(t, recollection.Outdated())
}

func TestRecallWithoutState(t *testing.T) {
	dir := t.TempDir()
	o := onlooker(t, filepath.Join(dir, "liveness.json"))
	recollection, err := o.Recall()
	require.NoError(t, err)
	require.Zero(t, recollection.Saved)
	require.Empty(t, o.reported())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "it makes no file")

	t.Setenv("STATE_DIRECTORY", dir)
	o = onlooker(t, "")
	recollection, err = o.Recall()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "liveness.json"), recollection.Path)
}

func TestRecallWithDamagedState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "liveness.json")
	for _, content := range []string{"{", `{"version": 99}`} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		o := onlooker(t, file)
		_, err := o.Recall()
		require.Error(t, err)
		require.Empty(t, o.reported())
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, content, string(kept), "the one that is started sets it aside")
	}
}

// TestReportChangesNothing compares a processor that is asked all the time with one that is asked at the end.
func TestReportChangesNothing(t *testing.T) {
	asked, left := start(t, ""), start(t, "")
	for second := range 20 {
		var found [2][]string
		for i, r := range []*run{asked, left} {
			found[i] = r.Tick(float64(second))
			if second < 4 || second > 12 {
				found[i] = append(found[i], r.Beat("a", float64(second))...)
			}
		}
		require.Equal(t, found[1], found[0])
		asked.reported()
	}
	asked.reported()
	left.reported()
	testutil.RequireMetricsEqual(t, left.acc.GetTelegrafMetrics(), asked.acc.GetTelegrafMetrics())
}
