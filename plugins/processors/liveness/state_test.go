package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/persister"
	"github.com/influxdata/telegraf/testutil"
)

// run is a processor between its start and its end.
type run struct {
	*Liveness
	t   *testing.T
	acc testutil.Accumulator
	log *testutil.CaptureLogger
	at  time.Time // what its clock shows: as much as the input has observed
}

// start starts a processor that keeps its state in a file; without one it keeps none.
func start(t *testing.T, file string, configure ...func(*Liveness)) *run {
	t.Helper()
	r := &run{Liveness: standard(), t: t, log: &testutil.CaptureLogger{}, at: time.Unix(0, 0)}
	r.Log = r.log
	r.now = func() time.Time { return r.at }
	r.Threshold = config.Duration(5 * time.Second)
	r.ReportInterval = config.Duration(4 * time.Second)
	r.StateFile = file
	for _, c := range configure {
		c(r.Liveness)
	}
	require.NoError(t, r.Init())
	if file != "" {
		require.NoError(t, r.Start(&r.acc))
		t.Cleanup(r.Stop)
	}
	return r
}

// Kill ends it as SIGKILL does: nothing is saved any more, and the system releases the lock.
func (r *run) Kill() {
	_ = r.store.journal.Close()
	r.store.file.Close()
	r.store = nil
}

// Tick and Beat return what was found, of gaps as "type component opened" and the like.
func (r *run) Tick(observed float64) []string { return r.add(tickMeasurement, "", observed) }

func (r *run) Beat(zooid string, observed float64) []string {
	return r.add("chembus_heartbeat", zooid, observed)
}

func (r *run) add(name, zooid string, observed float64) []string {
	r.t.Helper()
	tags := map[string]string{"host": "h"}
	if zooid != "" {
		tags["zooid"] = zooid
	}
	r.acc.ClearMetrics()
	r.at = time.Unix(0, int64(observed*1e9))
	require.NoError(r.t, r.Add(metric.New(name, tags, map[string]any{"observed_s": observed, "sent": 1000 + observed}, r.at), &r.acc))
	var found []string
	for _, m := range r.acc.Metrics {
		switch m.Measurement {
		case "liveness":
			found = append(found, fmt.Sprint(m.Tags["zooid"], " ", m.Fields["state"]))
		case "liveness_gap":
			found = append(found, fmt.Sprint(m.Tags["zooid"], " ", m.Fields["incident_id"], " ", m.Fields["open"]))
		}
	}
	return found
}

// Live lets some beat each second, up to a time of the input's clock. It returns what was found.
func (r *run) Live(from, to int, zooids ...string) []string {
	r.t.Helper()
	var found []string
	for at := from; at <= to; at++ {
		for _, zooid := range zooids {
			found = append(found, r.Beat(zooid, float64(at))...)
		}
		found = append(found, r.Tick(float64(at))...)
	}
	return found
}

func stateFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "liveness.json")
}

func TestKilledProcessorKnowsEverythingAgain(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.Live(0, 1, "up", "dies", "silent")
	found := first.Live(2, 10, "up", "dies")
	opened := found[slices.Index(found, "silent silent")+1]
	require.Regexp(t, "^silent .* true$", opened)
	first.Kill()

	// The input went on for a minute; "dies" did not.
	second := start(t, file)
	require.Empty(t, second.Beat("up", 70), "known, be it before the first tick")
	found = second.Live(70, 76, "up")
	require.Contains(t, found, opened, "the same incident, repeated at the first report")
	t.Log(found)
	silent := slices.Index(found, "dies silent")
	require.NotEqual(t, -1, silent, "at the latest one threshold after the restart")
	require.Regexp(t, "^dies .* true$", found[silent+1])
	require.NotContains(t, found, "up late")

	found = second.Beat("silent", 76)
	require.Equal(t, []string{"silent up", opened[:len(opened)-len("true")] + "false"}, found)
	second.Tick(76)
	for _, line := range logged(second.log) {
		require.NotContains(t, line, "for the first time")
		require.NotRegexp(t, `^I! Silent:.*"silent"`, line)
	}
}

func TestTimeWithoutTheProcessorIsNoSilence(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.Live(0, 10, "a")
	first.Tick(13)
	first.Stop()
	second := start(t, file)
	require.NotContains(t, second.Live(100, 101), "a silent")
	require.Contains(t, second.Live(102, 104), "a silent")
}

func TestStoppedProcessorGoesOnAsIfNothingHappened(t *testing.T) {
	whole, file := start(t, ""), stateFile(t)
	pieces := start(t, file)
	ends := map[string]int{"a": 100, "b": 60, "c": 75}
	changes := 0
	for at := range 100 {
		if at > 20 && at%12 == 2 { // when no beat is due
			pieces.Stop()
			pieces = start(t, file)
		}
		found := whole.Tick(float64(at))
		changes += len(found)
		require.Equal(t, found, pieces.Tick(float64(at)), "at %d", at)
		for i, zooid := range []string{"a", "b", "c"} {
			if at%(3+i%2) == 0 && at < ends[zooid] {
				require.Equal(t, whole.Beat(zooid, float64(at)), pieces.Beat(zooid, float64(at)), "at %d", at)
			}
		}
	}
	require.Greater(t, changes, 20)
}

func TestStateOfTelegraf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "telegraf.state")
	store := func(plugin *run) *persister.Persister {
		p := &persister.Persister{Filename: file}
		require.NoError(t, p.Init())
		require.NoError(t, p.Register("id", plugin.Liveness))
		return p
	}
	first := start(t, "")
	first.Live(0, 3, "a", "b")
	opened := first.Live(4, 12, "a")
	require.NoError(t, store(first).Store())

	second := start(t, "")
	require.NoError(t, store(second).Load())
	require.Equal(t, first.GetState(), second.GetState())
	want, got := first.Live(13, 30, "b"), second.Live(13, 30, "b")
	require.Equal(t, want, got)
	require.NotEmpty(t, opened)

	require.Error(t, second.SetState(7))
}

// TestUselessStateOfTelegraf shows that Telegraf starts whatever is in its statefile.
func TestUselessStateOfTelegraf(t *testing.T) {
	for _, useless := range []string{"{", "null", `{"version":99}`} {
		r := start(t, "")
		require.NoError(t, r.SetState(useless))
		lines := logged(r.log)
		require.Len(t, lines, 1)
		require.Regexp(t, `^E! Starting without the state in Telegraf's statefile, which cannot be used: `, lines[0])
		require.Equal(t, []string{"a up"}, append(r.Tick(0), r.Beat("a", 0.5)...))
	}
}

// TestStateOfTelegrafBeforeInit is of the copy behind the aggregators, which Telegraf does not initialise
// with skip_processors_after_aggregators and has in its statefile all the same.
func TestStateOfTelegrafBeforeInit(t *testing.T) {
	copied := standard()
	state := copied.GetState()
	require.NoError(t, copied.SetState(state))
	require.NoError(t, copied.SetState(start(t, "").GetState()))

	r := start(t, "")
	require.NoError(t, r.SetState(state))
	require.Empty(t, logged(r.log))
}

// TestOwnStateGoesFirst restarts a processor after a crash: Telegraf's statefile is of the stop before.
func TestOwnStateGoesFirst(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.Live(0, 3, "of the first run")
	ofTelegraf := first.GetState()
	first.Live(4, 20, "of the crashed run")
	first.Kill()

	second := start(t, file)
	require.NoError(t, second.SetState(ofTelegraf))
	require.Empty(t, append(second.Tick(21), second.Beat("of the crashed run", 21)...), "it is known")

	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	second.Kill()
	third := start(t, file)
	require.NoError(t, third.SetState(ofTelegraf))
	require.Empty(t, third.Tick(21))
	require.Empty(t, third.Beat("of the first run", 21), "without a file of its own it goes by Telegraf's")
}

func TestDamagedStateIsSetAside(t *testing.T) {
	for _, damaged := range []string{"", "{", "null", `{"version":99}`, `{"version":1,"sensors":{"all":[{"id":"h "}]},"components":[{"key":"a","phase":77}]}`, "\x00\xff"} {
		file := stateFile(t)
		require.NoError(t, os.WriteFile(file, []byte(damaged), 0o600))
		r := start(t, file)
		require.Empty(t, r.Tick(0))
		require.Equal(t, []string{"a up"}, r.Beat("a", 0.5))
		kept, err := os.ReadFile(file + ".damaged")
		require.NoError(t, err)
		require.Equal(t, damaged, string(kept))
		lines := logged(r.log)
		require.Len(t, lines, 1)
		require.Regexp(t, `^E! Starting without the saved state, because the state file ".*liveness.json" cannot be used: .* renamed to ".*liveness.json.damaged"`, lines[0])

		r.Live(1, 3, "a")
		r.Stop()
		again := start(t, file)
		require.Empty(t, append(again.Tick(3.5), again.Beat("a", 3.5)...), "the new state is of use")
	}
}

func TestSecondCopyStandsBy(t *testing.T) {
	file := stateFile(t)
	first, second := start(t, file), start(t, file)
	first.Live(0, 3, "a", "b")
	// Both hear the same, as two monitors on one host would.
	require.Empty(t, second.Live(0, 12, "b"))
	require.Empty(t, second.acc.Metrics, "ticks end here in any case")
	second.Beat("b", 12)
	require.Len(t, second.acc.Metrics, 1, "all else is passed on")
	lines := logged(second.log)
	require.Len(t, lines, 1)
	require.Regexp(t, `^I! Another copy uses the state file `, lines[0])

	gap := first.Live(4, 12, "b")
	first.Stop()
	require.Equal(t, gap[len(gap)-1], second.Live(13, 16, "b")[2], "it takes over, and knows what was known")
	require.Regexp(t, `^I! The other copy has released the state file ".*"`, logged(second.log)[0])
}

func TestCopyBehindAggregatorsNeverGetsTheLock(t *testing.T) {
	file := stateFile(t)
	behind, first := start(t, file), start(t, file)
	behind.Beat("a", 0)
	require.Equal(t, []string{"a up"}, append(first.Tick(0), first.Beat("a", 0)...))
	require.Empty(t, behind.Beat("a", 30))
}

func TestKillBeforeTheFirstTickIsNotLost(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.Live(0, 3, "a")
	first.Kill()
	second := start(t, file)
	require.Empty(t, second.add("chembus_kill", "", 20))
	require.Contains(t, second.Tick(20), "a killed")
	require.NotContains(t, second.Live(21, 40), "a silent")
}

func TestStateIsSavedOftenEnough(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	saved := func() time.Duration {
		state, _, err := readState(file)
		require.NoError(t, err)
		return state.Buses[0].Detector.Clock.Now
	}
	saves, last := 0, time.Duration(0)
	for at := range 100 {
		r.Live(at, at, "a")
		now := saved()
		require.LessOrEqual(t, time.Duration(at)*time.Second-now, saveInterval)
		if now != last {
			saves++
		}
		last = now
	}
	require.LessOrEqual(t, saves, 12, "and not more often")
	found := r.Live(100, 107)
	require.Contains(t, found, "a silent")
	require.GreaterOrEqual(t, saved(), 105*time.Second, "an incident is news")
}

func TestFullDiskIsLoggedOnce(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(directory, 0o700))
	r := start(t, filepath.Join(directory, "liveness.json"))
	r.Live(0, 3, "a")
	logged(r.log)
	require.NoError(t, os.RemoveAll(directory))
	r.Live(4, 60, "a")
	lines := logged(r.log)
	require.Len(t, lines, 1)
	require.Regexp(t, `^E! The state cannot be saved, and would be lost at a restart; check the disk and the permissions: `, lines[0])
	require.NoError(t, os.Mkdir(directory, 0o700))
	r.Live(61, 100, "a")
	require.Equal(t, []string{"I! The state is saved again"}, logged(r.log))
}

func TestStateFileThatCannotBeIsAnError(t *testing.T) {
	l := standard()
	l.StateFile = filepath.Join(t.TempDir(), "missing", "liveness.json")
	require.NoError(t, l.Init())
	require.ErrorContains(t, l.Start(&testutil.Accumulator{}), "create the folder")
}

// TestNamesSurviveTheStateFile takes names that no JSON can hold as they are.
func TestNamesSurviveTheStateFile(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.Live(0, 3, "a\xff", "a\xfe", "\x00")
	first.Stop()
	second := start(t, file)
	second.Live(4, 6, "a\xff", "a\xfe", "\x00")
	require.Empty(t, logged(second.log), "they are known, and the state is of use")
}

func TestEmptyNameIsNoComponent(t *testing.T) {
	r := start(t, "")
	m := metric.New("chembus_heartbeat", nil, map[string]any{"observed_s": 1.0}, time.Unix(1, 0))
	m.AddTag("zooid", "")
	require.NoError(t, r.Add(m, &r.acc))
	require.Equal(t, []telegraf.Metric{m}, r.acc.GetTelegrafMetrics())
}
