package chembus

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// TestADayOfChurnTakesLittleMemory compares what is held after a day with what is held after a day in which one component
// falls silent in each second, with a name that was never heard: 86 400 gaps, each published and closed 10 minutes later.
// The 600 that are open then, and the last that were closed, may take 1 MiB; the whole process has 7 MB to itself.
func TestADayOfChurnTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through a day")
	}
	quiet, _ := heapAfterADay(t, false)
	churn, saved := heapAfterADay(t, true)
	t.Logf("%d KiB after a quiet day, %d KiB after one with churn; %d KiB are saved", quiet>>10, churn>>10, saved>>10)
	require.Less(t, churn, quiet+1<<20)
	require.Less(t, saved, 256<<10)
}

// heapAfterADay returns what this process holds after a day, with all else that it holds, and how large the saved state is.
func heapAfterADay(t *testing.T, churn bool) (held uint64, saved int) {
	t.Helper()
	const (
		open   = 600 // seconds for which a gap is
		repeat = 60  // seconds between two levels of a gap
	)
	c, _ := standard()
	day := heap.Day()
	o := newOutbox(c.MaxPending, timeout)
	levels := func(second int, open bool) {
		g := level(fmt.Sprintf("%036d", second), open, 30)
		g.LastSeen = float64(second)
		require.Nil(t, o.Offer(g))
	}
	for second := 0; churn && second < day; second++ {
		at := now.Add(time.Duration(second) * time.Second)
		for n := 0; n < min(open, second+1); n += repeat {
			levels(second-n, true)
		}
		send(o, uint64(second), at)
		o.Returned(uint64(second), at)
		for n := range 3 {
			if second >= open+n*repeat {
				levels(second-open-n*repeat, false)
			}
		}
	}
	held = heap.InUse()
	content, err := json.Marshal(o.State())
	require.NoError(t, err)
	return held, len(content)
}
