package liveness

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// TestADayOfChurnTakesLittleMemory compares what is held after a day in which 2000 components beat with what is held after
// a day in which, besides, one of them ends in each second and another one begins, with a name that was never heard: 86 400
// names. Those without a name are "gone", and removed after retire_unnamed_after. Those with a name have a gap each, which is
// open for retire_after, or until they have to make room. By default all of a day are kept; max_components is lower here.
func TestADayOfChurnTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through three days")
	}
	quiet := heapAfterADay(t, "component_%07d", false, func(*Liveness) {})
	for name, churn := range map[string]struct {
		form    string
		options func(*Liveness)
	}{
		"unnamed": {"zooid_%07d", func(*Liveness) {}},
		"named":   {"component_%07d", func(l *Liveness) { l.MaxComponents = 2400 }},
	} {
		held := heapAfterADay(t, churn.form, true, churn.options)
		t.Logf("%s: %d KiB after a quiet day, %d KiB after one with churn", name, quiet>>10, held>>10)
		require.Less(t, float64(held), 1.2*float64(quiet), name)
	}
}

// heapAfterADay returns what this process holds after a day, with all else that it holds.
func heapAfterADay(t *testing.T, form string, churn bool, options func(*Liveness)) uint64 {
	t.Helper()
	const (
		components = 2000
		interval   = 200 // seconds between two beats of a component
	)
	l := standard()
	l.Threshold, l.ReportInterval = config.Duration(2.5*interval*time.Second), config.Duration(5*time.Minute)
	options(l)
	at := time.Unix(0, 0)
	l.now = func() time.Time { return at }
	require.NoError(t, l.Init())
	var acc nowhere
	names := make([]string, components)
	for i := range names {
		names[i] = fmt.Sprintf(form, i)
	}
	for second := range heap.Day() {
		at = time.Unix(int64(second), 0)
		if churn {
			names[second%components] = fmt.Sprintf(form, components+second)
		}
		observed := float64(second)
		for i := second % interval; i < components; i += interval {
			require.NoError(t, l.Add(metric.New("chembus_heartbeat", map[string]string{"host": "h", "zooid": names[i]},
				map[string]any{"beats": int64(1), "observed_s": observed, "sent": observed}, at), &acc))
		}
		require.NoError(t, l.Add(metric.New(tickMeasurement, map[string]string{"host": "h"}, map[string]any{"observed_s": observed}, at), &acc))
	}
	t.Logf("%d components are known", len(l.buses.all[0].detector.Snapshot().Components))
	held := heap.InUse()
	runtime.KeepAlive(l)
	return held
}
