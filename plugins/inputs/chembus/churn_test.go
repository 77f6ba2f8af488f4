package chembus

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// TestADayOfChurnTakesLittleMemory compares what is held after a day in which 2000 components beat with what is held after
// a day in which, besides, one of them ends in each second and another one begins, with a name that was never heard: 86 400
// names. All have names, so that none makes room for others before it is forgotten.
func TestADayOfChurnTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through two days")
	}
	quiet, churn := heapAfterADay(false), heapAfterADay(true)
	t.Logf("%d KiB after a quiet day, %d KiB after one with churn", quiet>>10, churn>>10)
	require.Less(t, float64(churn), 1.2*float64(quiet))
}

// heapAfterADay returns what this process holds after a day, with all else that it holds.
func heapAfterADay(churn bool) uint64 {
	const (
		zooids   = 2000
		interval = 100 // seconds between two beats of a component
	)
	c := newCollector(newPlugin(), testProbe, epoch)
	topic := []byte("HEARTBEAT")
	payloads := make([][]byte, zooids)
	name := func(i, number int) {
		payloads[i] = colony.Heartbeat{
			Zooid: fmt.Sprintf("component_%07d", number), Niche: "churn", Uptime: 1795446803.878135, ProcessedCount: 7, TS: blankTime,
		}.Payload()
	}
	for i := range zooids {
		name(i, i)
	}
	for second := range heap.Day() {
		now := epoch.Add(time.Duration(second) * time.Second)
		if churn {
			name(second%zooids, zooids+second)
		}
		for i := second % interval; i < zooids; i += interval {
			now = now.Add(time.Microsecond)
			stamp(payloads[i], now)
			if reject := c.Receive(bus.Frames{Topic: topic, Payload: payloads[i], Count: 2, Size: len(topic) + len(payloads[i])}, now); reject != "" {
				panic(reject)
			}
		}
		c.Take()
	}
	held := heap.InUse()
	runtime.KeepAlive(c)
	runtime.KeepAlive(payloads)
	return held
}
