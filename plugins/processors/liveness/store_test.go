package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// copyOf copies the files of a state, as they are if the process is killed now.
func copyOf(t *testing.T, file string) string {
	t.Helper()
	to := stateFile(t)
	for _, suffix := range []string{"", ".next"} {
		content, err := os.ReadFile(file + suffix)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+suffix, content, 0o600))
	}
	return to
}

// openGaps are the ids of the open gaps of a colony, by component.
func openGaps(known map[string]string, found []string) map[string]string {
	for _, line := range found {
		var zooid, id, open string
		if n, _ := fmt.Sscan(line, &zooid, &id, &open); n != 3 {
			continue
		}
		if delete(known, zooid); open == "true" {
			known[zooid] = id
		}
	}
	return known
}

// TestKilledAtAnyMoment kills the processor after each metric of a colony in which components die alone, at once and
// again, and return. What comes back repeats each open gap with its id, and opens none a second time.
func TestKilledAtAnyMoment(t *testing.T) {
	file := stateFile(t)
	few := func(l *Liveness) {
		l.MassCount, l.MassWindow = 3, config.Duration(6*time.Second)
	}
	r := start(t, file, few)
	var colony []string
	for i := range 12 {
		colony = append(colony, fmt.Sprintf("z%02d", i))
	}
	open := make(map[string]string)
	for at := range 50 {
		for i, zooid := range colony {
			dead := at >= 10 && at < 30 && i < 8 || at >= 40 && i == 11 || at >= 14 && i == 9
			if !dead {
				openGaps(open, r.Beat(zooid, float64(at)))
			}
		}
		openGaps(open, r.Tick(float64(at)))

		again := start(t, copyOf(t, file), few)
		repeated := make(map[string]string)
		for later := range 7 { // up to the next report, after a jump of the clock
			for i, zooid := range colony {
				if i == 8 || i == 10 {
					again.Beat(zooid, float64(at+1+later))
				}
			}
			openGaps(repeated, again.Tick(float64(at+1+later)))
		}
		for zooid, id := range open {
			require.Equal(t, id, repeated[zooid], "%s at %d of %v", zooid, at, open)
		}
		again.Kill()
	}
	require.NotEmpty(t, open)
}

// written counts what is written to a state file, in bytes.
type written struct {
	file      string
	base      os.FileInfo
	completed int64
}

// Count returns how much was written so far. It has to be called for each generation of the file.
func (w *written) Count() int64 {
	if base, err := os.Stat(w.file); err == nil && (w.base == nil || !os.SameFile(base, w.base)) {
		w.base = base
		w.completed += base.Size()
	}
	next, err := os.Stat(w.file + ".next")
	if err != nil {
		return w.completed
	}
	return w.completed + next.Size()
}

// TestStateWritesAreBounded has a colony whose names come and go: one new name a second, and beats of all others.
func TestStateWritesAreBounded(t *testing.T) {
	file := stateFile(t)
	r := start(t, file, func(l *Liveness) {
		l.Threshold, l.ReportInterval = config.Duration(30*time.Second), config.Duration(time.Hour)
	})
	const n = 12_000
	w := written{file: file}
	r.Tick(0)
	for at := 1; at < 45; at++ {
		for i := range n / 10 {
			r.Beat(fmt.Sprintf("zooid of a name that is long %d", 10*i+at%10), float64(at))
		}
		r.Beat(fmt.Sprintf("new %d", at), float64(at))
		for part := range 10 {
			r.Tick(float64(at) + float64(part)/10)
			w.Count()
		}
		require.LessOrEqual(t, w.Count(), int64((at+2)*256<<10), "after %d s", at)
		if at == 40 {
			known, _, err := readState(file)
			require.NoError(t, err)
			latest := slices.IndexFunc(known.Buses[0].Detector.Components, func(c detector.ComponentSnapshot) bool { return c.Key == "new 40" })
			require.NotEqual(t, -1, latest, "a new name is in the file at once")
		}
	}
}

// TestWritesOfAnOutageAreBounded has all of a large colony fall silent. The members are in the file before the outage is
// emitted, and nothing is written for as long as it takes to make up for them.
func TestWritesOfAnOutageAreBounded(t *testing.T) {
	file := stateFile(t)
	r := start(t, file, func(l *Liveness) { l.ReportInterval = config.Duration(time.Hour) })
	const n = 12_000
	name := func(i int) string { return fmt.Sprintf("component %d", i) }
	r.Tick(0)
	for i := range n {
		r.Beat(name(i), 0)
	}
	w := written{file: file}
	var outage string
	for at := 1; at < 30; at++ {
		for _, line := range r.Tick(float64(at)) {
			if strings.HasSuffix(line, " true") {
				outage = line
			}
		}
		w.Count()
	}
	require.NotEmpty(t, outage)
	require.Less(t, w.Count(), int64(30*256<<10))
	again := start(t, copyOf(t, file))
	again.Tick(30)
	again.acc.ClearMetrics()
	again.Report(&again.acc, again.at)
	var members int64
	for _, m := range again.acc.Metrics {
		if m.Tags["gap_type"] == "heartbeat_mass_missing" {
			members = int64(m.Fields["member_count"].(int))
		}
	}
	require.EqualValues(t, n-5, members)
}

// TestWritesOverAnHour has 2000 components beat every 30 s for an hour. A new one comes each second and beats for 3 s, one is
// silent for four minutes each four minutes, and all are for five minutes.
func TestWritesOverAnHour(t *testing.T) {
	file := stateFile(t)
	r := start(t, file, func(l *Liveness) {
		l.Threshold, l.ReportInterval = config.Duration(90*time.Second), config.Duration(time.Hour)
	})
	const n, most, window = 2000, 256 << 10, 600
	seconds := 3600
	if testing.Short() {
		seconds = 1200
	}
	tags := make([]map[string]string, n)
	for i := range tags {
		tags[i] = map[string]string{"host": "h", "zooid": fmt.Sprintf("component_%04d", i), "niche": "memory"}
	}
	w := written{file: file}
	sums, gaps := []int64{0}, 0
	feed := func(name string, tags map[string]string, at int) {
		acc := &testutil.Accumulator{}
		r.at = time.Unix(int64(at), 0)
		require.NoError(t, r.Add(metric.New(name, tags, map[string]any{"observed_s": float64(at), "sent": float64(at)}, r.at), acc))
		for _, m := range acc.Metrics {
			if m.Fields["event"] == "opened" {
				gaps++
			}
		}
	}
	for at := 1; at <= seconds; at++ {
		outage := at > 600 && at <= 900
		for i := at % 30; i < n && !outage; i += 30 {
			if at < 240 || i != at/240 {
				feed("chembus_heartbeat", tags[i], at)
			}
		}
		for age := range 3 {
			feed("chembus_heartbeat", map[string]string{"host": "h", "zooid": fmt.Sprintf("zooid_%d", at-age)}, at)
		}
		feed(tickMeasurement, map[string]string{"host": "h"}, at)
		sums = append(sums, w.Count())
		if from := at - window; from >= 0 {
			require.Less(t, sums[at]-sums[from], int64(window*most), "up to second %d", at)
		}
	}
	require.Greater(t, gaps, seconds/240, "it is a colony in which something happens")
	average := sums[seconds] / int64(seconds)
	t.Logf("%d bytes a second, with %d gaps", average, gaps)
	require.Less(t, average, int64(most/2), "with so few components")
}

// TestWritesOfManyThatAreLate has so many components be late before each beat that to write that they are not takes all that
// may be written. The state is completed all the same, else its file would grow for as long as the processor runs.
func TestWritesOfManyThatAreLate(t *testing.T) {
	file := stateFile(t)
	r := start(t, file, func(l *Liveness) {
		l.Threshold, l.ReportInterval = config.Duration(30*time.Second), config.Duration(time.Hour)
		l.Log = testutil.Logger{Quiet: true}
	})
	const n, interval = 4000, 17
	name := strings.Repeat("name that is long ", 50)
	for at := range 120 {
		for i := at % interval; i < n; i += interval {
			r.Beat(fmt.Sprint(name, i), float64(at))
		}
		r.Tick(float64(at))
		require.Less(t, r.store.journal.Size(), int64(16<<20), "after %d s", at)
	}
	require.NotEmpty(t, r.store.news, "there is always more to write")
}

// TestFormerStateIsTakenOver goes on from a file of version 2, and is killed before it has written all components.
func TestFormerStateIsTakenOver(t *testing.T) {
	former := start(t, "")
	former.Live(0, 1, "a", "dies", "b")
	gap := former.Live(2, 10, "a", "b")
	file := stateFile(t)
	require.NoError(t, os.WriteFile(file, []byte(former.GetState().(string)), 0o600))
	r := start(t, file)
	require.Contains(t, gap, "dies silent")
	require.Empty(t, r.Beat("a", 10.5))
	r.Live(11, 11, "a")
	again := start(t, copyOf(t, file))
	require.Empty(t, again.Beat("b", 11.5))
	require.Equal(t, openGaps(map[string]string{}, gap), openGaps(map[string]string{}, again.Live(12, 13, "a", "b")))
}

// TestStaleRecordIsNoSilence has a component whose record is older than that of another, which died: the time in between
// is no silence of the one.
func TestStaleRecordIsNoSilence(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 0, "lives", "dies")
	found := r.Live(1, 6, "lives")
	require.Contains(t, found, "dies silent", "which is saved at once, and nothing of the other")
	again := start(t, copyOf(t, file))
	found = again.Live(7, 10)
	require.NotContains(t, found, "lives silent")
	require.Contains(t, again.Live(11, 13), "lives silent")
}

// TestLateThatCameBackIsSaved has a component be late when it is written, and come back. The processor is killed, and does not
// find it silent.
func TestLateThatCameBackIsSaved(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 5, "a", "b")
	r.Beat("a", 5.4)
	require.Contains(t, r.Live(6, 10, "b"), "a late")
	require.Equal(t, []string{"a up"}, r.Beat("a", 10.3))
	require.Contains(t, r.Live(11, 16, "a"), "b silent", "saved at once, and nothing of the other")
	again := start(t, copyOf(t, file))
	require.NotContains(t, append(again.Live(17, 17), again.Tick(17.9)...), "a silent")
	require.NotContains(t, again.Live(18, 30, "a"), "a silent")
}

// TestLateThatCameBackIsSavedOfOneThatFlaps has the component flap, too.
func TestLateThatCameBackIsSavedOfOneThatFlaps(t *testing.T) {
	file := stateFile(t)
	few := func(l *Liveness) { l.FlapCount, l.FlapWindow = 2, config.Duration(time.Hour) }
	r := start(t, file, few)
	r.Live(0, 1, "a", "b")
	r.Live(2, 8, "b")
	r.Live(9, 9, "a", "b")
	require.Contains(t, r.Live(10, 16, "b"), "a flapping")
	r.Live(17, 25, "a", "b")
	r.Beat("a", 25.4)
	r.Live(26, 30, "b")
	record := func() detector.ComponentSnapshot {
		known, _, err := readState(file)
		require.NoError(t, err)
		components := known.Buses[0].Detector.Components
		return components[slices.IndexFunc(components, func(c detector.ComponentSnapshot) bool { return c.Key == "a" })]
	}
	require.Equal(t, detector.Late, record().State)
	require.Equal(t, []string{"a flapping"}, r.Beat("a", 30.3))
	r.Tick(30.5)
	require.Equal(t, detector.Up, record().State)
}

// TestKillOfAStaleRecord has a kill signal that no component was saved after.
func TestKillOfAStaleRecord(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 1, "a", "b")
	require.NoError(t, r.Add(metric.New("chembus_kill", map[string]string{"host": "h"}, map[string]any{"observed_s": 1.5}, r.at), &r.acc))
	again := start(t, copyOf(t, file))
	found := again.Live(2, 12)
	require.Contains(t, found, "a killed")
	require.NotContains(t, found, "a silent")
	require.NotContains(t, found, "b silent")
}

// TestLineThatCannotBeRead has a line of the state damaged: the others are used, and the log says so.
func TestLineThatCannotBeRead(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 2, "a", "b", "c")
	r.Stop()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(content), `"key":"b"`, `"key":"b`, 1)), 0o600))
	r = start(t, file)
	r.Tick(3)
	require.Empty(t, append(r.Beat("a", 3), r.Beat("c", 3)...))
	require.Equal(t, []string{"b up"}, r.Beat("b", 3))
	require.Contains(t, fmt.Sprint(logged(r.log)), "1 lines of the state file cannot be read")
	require.NoFileExists(t, filepath.Join(filepath.Dir(file), "liveness.json.damaged"))
}

// TestStateThatIsCutOff has the end of the state be missing: what was read before it is used, and the log says so.
func TestStateThatIsCutOff(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 2, "a", "b")
	r.Stop()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content[:len(content)-9], 0o600))
	r = start(t, file)
	r.Tick(3)
	require.Empty(t, r.Beat("a", 3))
	require.Equal(t, []string{"b up"}, r.Beat("b", 3))
	require.Contains(t, fmt.Sprint(logged(r.log)), "1 lines of the state file cannot be read")
}

// TestEndSurvivesAKill kills the processor just after a gap was closed: the end is repeated at two reports.
func TestEndSurvivesAKill(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 0, "a")
	r.Live(1, 6)
	closed := r.Beat("a", 6.5)[1]
	require.Regexp(t, "^a .* false$", closed)
	again := start(t, copyOf(t, file))
	var reports []int
	for at := 7; at < 30; at++ {
		if found := again.Live(at, at, "a"); slices.Contains(found, closed) {
			reports = append(reports, at)
		}
	}
	require.Len(t, reports, 2)
}

// TestEndOfAFormerGapAndAKill kills the processor when a component is silent again, and the end of its last gap was repeated
// once. It is not repeated any more: at a report it would take the place of the open gap in a database.
func TestEndOfAFormerGapAndAKill(t *testing.T) {
	file := stateFile(t)
	long := func(l *Liveness) { l.ReportInterval = config.Duration(20 * time.Second) }
	r := start(t, file, long)
	r.Live(0, 0, "a")
	r.Live(1, 6)
	r.Beat("a", 6.5)
	found := r.Live(7, 12)
	require.Regexp(t, "^a .* true$", found[len(found)-1])
	again := start(t, copyOf(t, file), long)
	found = again.Live(13, 60)
	require.Contains(t, fmt.Sprint(found), " true")
	require.NotContains(t, fmt.Sprint(found), " false")
}
