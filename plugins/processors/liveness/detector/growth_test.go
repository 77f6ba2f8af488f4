package detector

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// What a detector costs as a colony grows.
//
//	go test -run '^$' -bench 'Beat|Tick|Memory' -benchmem ./plugins/processors/liveness/detector

var growth = []int{100, 1_000, 10_000, 100_000, 1_000_000}

// largeDetector returns a detector that knows n components, each heard twice, 10 s apart, and their keys. In
// every second the same number was heard. One in a hundred has a short threshold, the rest the given one.
func largeDetector(n int, threshold time.Duration, adaptive bool) (*Detector, []string) {
	c := configOf(Rule{Threshold: threshold, LateAfter: threshold / 2})
	c.ReportInterval = 1 << 62
	rule := c.Rule("", "")
	hasty := *rule
	hasty.Threshold, hasty.LateAfter = 30*time.Second, 21*time.Second
	c.Rule = func(key, _ string) *Rule {
		if strings.HasSuffix(key, "00") {
			return &hasty
		}
		return rule
	}
	if adaptive {
		c.Adaptive = &Adaptive{MistakesPerYear: 100, Forgive: 1, Min: 5 * time.Second, Max: 2 * time.Minute}
	}
	d := New(&c, "")
	d.Tick(0, 0)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("component_%07d", i)
	}
	tick := time.Second
	for turn := range 2 {
		for i, key := range keys {
			at := time.Duration(turn)*10*time.Second + 10*time.Second*time.Duration(i)/time.Duration(n)
			for ; at >= tick; tick += time.Second {
				d.Tick(0, tick)
			}
			d.Beat(beatOf(key, at))
		}
	}
	d.Tick(0, 20*time.Second)
	return d, keys
}

// BenchmarkBeat lets known components beat in turn, each every 10 s, with a tick every second.
func BenchmarkBeat(b *testing.B) {
	benchmarkBeats(b, false, false)
}

// BenchmarkBeatAdaptive does so with an adaptive threshold.
func BenchmarkBeatAdaptive(b *testing.B) {
	benchmarkBeats(b, true, false)
}

// BenchmarkBeatShuffled does so in another order than that in which they appeared, and lie in memory.
func BenchmarkBeatShuffled(b *testing.B) {
	benchmarkBeats(b, false, true)
}

func benchmarkBeats(b *testing.B, adaptive, shuffled bool) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			// An interval changes when they are shuffled, to almost 20 s.
			d, keys := largeDetector(n, 42*time.Second, adaptive)
			if shuffled {
				random := rand.New(rand.NewPCG(1, 2))
				random.Shuffle(n, func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
			}
			step := 10 * time.Second / time.Duration(n)
			now, tick := 20*time.Second, 21*time.Second
			i := 0
			beat := Beat{Beats: 1}
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				if now += step; now >= tick {
					d.Tick(0, tick)
					tick += time.Second
				}
				beat.Key, beat.Observed, beat.LastSeen = keys[i], now, now.Seconds()
				if found := d.Beat(&beat); len(found) > 0 {
					b.Fatal("something was found of those that beat in time")
				}
				if i++; i == n {
					i = 0
				}
			}
			// Unlike the time by the clock this does not grow with what else runs on the machine.
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkTick measures ticks at which no component changes.
func BenchmarkTick(b *testing.B) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			d, _ := largeDetector(n, 30*time.Second, false)
			at := 20 * time.Second
			b.ReportAllocs()
			for b.Loop() {
				at += time.Nanosecond
				if found := d.Tick(0, at); len(found) > 0 {
					b.Fatal("something was found")
				}
			}
		})
	}
}

// BenchmarkTickWithLosses measures ticks at which one in a hundred is found to be silent.
func BenchmarkTickWithLosses(b *testing.B) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			d, keys := largeDetector(n, 1<<61, false)
			at := 20 * time.Second
			found := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i := 0; i < n; i += 100 {
					d.Beat(beatOf(keys[i], at))
				}
				for range 30 {
					at += time.Second
					d.Tick(0, at)
				}
				at += time.Second
				b.StartTimer()
				for _, f := range d.Tick(0, at) {
					if f.Change == WentSilent { // the end of the gap before it is repeated, too
						found++
					}
				}
			}
			if found != b.N*n/100 {
				b.Fatalf("%d silences were found, not %d", found, b.N*n/100)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(found), "ns/silence")
		})
	}
}

// BenchmarkMemory measures what a component takes, its key included.
func BenchmarkMemory(b *testing.B) {
	for _, n := range growth[1:] {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			for b.Loop() {
				before := heap.InUse()
				d, _ := largeDetector(n, 30*time.Second, true)
				after := heap.InUse()
				runtime.KeepAlive(d)
				b.ReportMetric(float64(after-before)/float64(n), "B/zooid")
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
