package judge

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// What the judge costs as a colony grows.
//
//	go test -run '^$' -bench 'Beat|Tick' -benchmem ./plugins/processors/liveness/judge

var growth = []int{100, 1_000, 10_000, 100_000, 1_000_000}

// crowdedJudge returns a judge that knows n components, each heard twice, 10 s apart, and their keys. Of
// every second the same number was heard.
func crowdedJudge(n int, adaptive bool) (*Judge, []string) {
	c := configOf(Rule{Threshold: 30 * time.Second, LateAfter: 15 * time.Second})
	c.ReportInterval = 1 << 62
	if adaptive {
		c.Adaptive = &Adaptive{Phi: 8, Min: 5 * time.Second, Max: 2 * time.Minute}
	}
	j := New(c)
	j.Tick("s", 0)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("component_%07d", i)
	}
	tick := time.Second
	for turn := range 2 {
		for i, key := range keys {
			at := time.Duration(turn)*10*time.Second + 10*time.Second*time.Duration(i)/time.Duration(n)
			for ; at >= tick; tick += time.Second {
				j.Tick("s", tick)
			}
			j.Beat(beatOf(key, at))
		}
	}
	j.Tick("s", 20*time.Second)
	return j, keys
}

// BenchmarkBeat lets known components beat in turn, each every 10 s, with a tick every second.
func BenchmarkBeat(b *testing.B) {
	for _, adaptive := range []bool{false, true} {
		for _, n := range growth {
			b.Run(fmt.Sprintf("adaptive=%v/zooids=%d", adaptive, n), func(b *testing.B) {
				j, keys := crowdedJudge(n, adaptive)
				step := 10 * time.Second / time.Duration(n)
				now, tick := 20*time.Second, 21*time.Second
				i := 0
				beat := Beat{Sensor: "s", Beats: 1}
				b.ReportAllocs()
				for b.Loop() {
					if now += step; now >= tick {
						j.Tick("s", tick)
						tick += time.Second
					}
					beat.Key, beat.Observed, beat.LastSeen = keys[i], now, now.Seconds()
					if found := j.Beat(&beat); len(found) > 0 {
						b.Fatal("something was found of those that beat in time")
					}
					if i++; i == n {
						i = 0
					}
				}
			})
		}
	}
}

// BenchmarkTick measures ticks at which nobody changes.
func BenchmarkTick(b *testing.B) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			j, _ := crowdedJudge(n, false)
			at := 20 * time.Second
			b.ReportAllocs()
			for b.Loop() {
				at += time.Nanosecond
				if found := j.Tick("s", at); len(found) > 0 {
					b.Fatal("something was found")
				}
			}
		})
	}
}

// BenchmarkTickWithLosses measures ticks at which one in a hundred has fallen silent.
func BenchmarkTickWithLosses(b *testing.B) {
	for _, n := range growth {
		b.Run(fmt.Sprintf("zooids=%d", n), func(b *testing.B) {
			j, keys := crowdedJudge(n, false)
			// One in a hundred beats at the same time as the others of them, and then no more.
			lost := keys[:n/100]
			at := 20 * time.Second
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				b.StopTimer()
				for _, key := range lost {
					j.Beat(beatOf(key, at))
				}
				for range 30 {
					at += time.Second
					for _, key := range keys[n/100:] {
						if at%(5*time.Second) == 0 {
							j.Beat(beatOf(key, at))
						}
					}
					j.Tick("s", at)
				}
				at += time.Second
				b.StartTimer()
				found += len(j.Tick("s", at))
			}
			if found != b.N*len(lost) {
				b.Fatalf("%d silences were found, not %d", found, b.N*len(lost))
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
				before := heapInUse()
				j, _ := crowdedJudge(n, true)
				after := heapInUse()
				runtime.KeepAlive(j)
				b.ReportMetric(float64(after-before)/float64(n), "B/zooid")
			}
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
