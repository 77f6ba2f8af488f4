package chembus

import (
	"bytes"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// What the input costs as a colony grows.
//
//	go test -run '^$' -bench . -benchmem ./plugins/inputs/chembus

var growth = []int{100, 1_000, 10_000, 100_000, 1_000_000}

// load is a collector and the heartbeats of those it hears, which take turns.
type load struct {
	*collector
	topic    []byte
	payloads [][]byte
	now      time.Time
	step     time.Duration
	next     int
}

// newLoad returns one that has heard n zooids twice, each every 10 s.
func newLoad(n int) *load {
	plugin := newPlugin()
	plugin.MaxZooids = n
	c := &load{
		collector: newCollector(plugin, testProbe, epoch),
		topic:     []byte("HEARTBEAT"),
		payloads:  make([][]byte, n),
		now:       epoch,
		step:      10 * time.Second / time.Duration(n),
	}
	for i := range c.payloads {
		c.payloads[i] = colony.Heartbeat{
			Zooid: fmt.Sprintf("component_%07d", i), Niche: "bench",
			Uptime: 1795446803.878135, ProcessedCount: 7, TS: blankTime,
		}.Payload()
	}
	for range 2 * n {
		c.beat()
	}
	return c
}

// beat delivers the next heartbeat, and takes what is to be reported when a tick is due.
func (c *load) beat() {
	c.now = c.now.Add(c.step)
	payload := c.payloads[c.next]
	stamp(payload, c.now)
	if reject := c.Receive(bus.Frames{Topic: c.topic, Payload: payload, Count: 2, Size: len(c.topic) + len(payload)}, c.now); reject != "" {
		panic(reject)
	}
	if c.next++; c.next == len(c.payloads) {
		c.next = 0
	}
	if c.ticks.due {
		c.Take()
	}
}

func TestBeatOfAKnownZooidTakesNoMemory(t *testing.T) {
	c := newLoad(100)
	require.Zero(t, testing.AllocsPerRun(2000, c.beat), "but for a report a second, of ten beats")
}

// blankTime is a ts to be written over, with six decimals.
const blankTime = 1111111111.111113

// stamp writes the ts of a heartbeat, of which no two are alike.
func stamp(payload []byte, now time.Time) {
	const digits = len("1111111111.111113")
	at := bytes.Index(payload, []byte(`"ts":`)) + len(`"ts":`)
	micros := now.UnixMicro()
	for i := at + digits - 1; i >= at; i-- {
		if payload[i] != '.' {
			payload[i] = byte('0' + micros%10)
			micros /= 10
		}
	}
}

// BenchmarkBeat lets known zooids beat in turn, each every 10 s, with a tick every second.
func BenchmarkBeat(b *testing.B) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			c := newLoad(n)
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				c.beat()
			}
			// Unlike the time by the clock this does not grow with what else runs on the machine.
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkFlood lets 1000 zooids beat without a tick.
func BenchmarkFlood(b *testing.B) {
	c := newLoad(1000)
	c.step = time.Nanosecond
	b.ReportAllocs()
	for b.Loop() {
		c.beat()
	}
}

// BenchmarkMemory measures what a zooid takes, its name included.
func BenchmarkMemory(b *testing.B) {
	for _, n := range growth[1:] {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			for b.Loop() {
				c := newLoad(n)
				c.Evidence(c.now.Add(time.Second))
				c.Take()
				with := heap.InUse()
				zooids := len(c.zooids.known)
				c.collector = nil
				b.ReportMetric(float64(with-heap.InUse())/float64(zooids), "B/zooid")
				runtime.KeepAlive(c)
			}
		})
	}
}

// cpuTime is what this process has taken of the processors, in nanoseconds.
func cpuTime() int64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for this process
	return usage.Utime.Nano() + usage.Stime.Nano()
}
