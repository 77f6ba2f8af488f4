package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStampedBeatHasTheTimeOfSending(t *testing.T) {
	b := newStampedBeat(zooidName(7))
	for _, now := range []time.Time{time.UnixMicro(1795446803_878151), time.UnixMicro(1795446804_000000)} {
		var message struct {
			Signal string
			Facts  struct {
				Zooid  string
				Uptime float64 `json:"uptime_s"`
			}
			TS float64
		}
		require.NoError(t, json.Unmarshal(b.stamp(now), &message))
		require.Equal(t, "HEARTBEAT", message.Signal)
		require.Equal(t, 7, zooidNumber(message.Facts.Zooid))
		require.InDelta(t, float64(now.UnixMicro())/1e6, message.TS, 1e-6)
		require.Equal(t, message.TS, message.Facts.Uptime)
	}
}

func TestLinesAreWholeForAnySizeOfWrites(t *testing.T) {
	const text = "first\n\nsecond line\nthird\n"
	for size := 1; size <= len(text); size++ {
		var got []string
		l := &lines{take: func(line []byte) { got = append(got, string(line)) }}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			written, err := l.Write([]byte(rest[:n]))
			require.NoError(t, err)
			require.Equal(t, n, written)
			rest = rest[n:]
		}
		require.Equal(t, []string{"first", "", "second line", "third"}, got)
	}
}

func TestLineProtocol(t *testing.T) {
	line := []byte("chembus_heartbeat,endpoint=tcp://x:1,niche=n,zooid=a beats=12i,lag_s=0.5,messages=3u 17")
	require.Equal(t, "chembus_heartbeat", measurement(line))
	require.Equal(t, []string{"a", "n", ""}, []string{tag(line, "zooid"), tag(line, "niche"), tag(line, "host")})
	require.Equal(t, []float64{12, 0.5, 3, 0}, []float64{field(line, "beats"), field(line, "lag_s"), field(line, "messages"), field(line, "none")})
	require.Empty(t, measurement(nil))
}

func TestQuantiles(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	require.Equal(t, []float64{1, 1.75, 2.5, 4}, []float64{quantile(values, 0), quantile(values, 0.25), median(values), quantile(values, 1)})
	require.Equal(t, []float64{4, 1, 3, 2}, values, "the argument is not sorted")
	require.Equal(t, 7.0, quantile([]float64{7}, 0.99))
	require.True(t, math.IsNaN(median(nil)))
	require.Equal(t, 2.5, mean(values))
}

func TestTableShowsFailures(t *testing.T) {
	rows := table{
		{"speed", "2 µs", "Python 1 µs", "2.00×", "1×", within(false)},
		{"size", "1 MB", "", "", "2 MB", within(true)},
		{"the same, all zooids new to both", "red", "", "", "", noBudget},
	}
	require.Equal(t, 1, rows.failures())
	var out strings.Builder
	require.NoError(t, rows.print(&out))
	printed := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, printed, 5)
	require.Equal(t, []string{"speed", "2 µs", "–", "Python 1 µs", "2.00×", "1×", "FAIL"}, cells(printed[2]))
	require.Equal(t, []string{"size", "1 MB", "–", "–", "–", "2 MB", "pass"}, cells(printed[3]))
	require.Equal(t, []string{"the same, all zooids new to both", "red", "23.28 µs", "–", "–", "–", "–"}, cells(printed[4]))
}

func cells(line string) []string {
	var all []string
	for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
		all = append(all, strings.TrimSpace(cell))
	}
	return all
}

func TestBenchmarkOutput(t *testing.T) {
	const out = `goos: linux
BenchmarkBeat/zooids=100-2         	   10	   120.5 ns/op	   0 B/op	   0 allocs/op
BenchmarkBeat/zooids=100-2         	   10	   110 ns/op	   0 B/op	   0 allocs/op
BenchmarkBeat/zooids=1000000-2     	   10	   300 ns/op
BenchmarkBeatShuffled/zooids=100-2 	   10	   999 ns/op
BenchmarkMemory/zooids=100         	    1	   12345 ns/op	   280.5 B/zooid
PASS
`
	require.Equal(t, map[int][]float64{100: {120.5, 110}, 1_000_000: {300}}, benchmarks([]byte(out), "BenchmarkBeat", "ns/op"))
	require.Equal(t, map[int][]float64{100: {280.5}}, benchmarks([]byte(out), "BenchmarkMemory", "B/zooid"))
}

func TestUsageOfThisProcess(t *testing.T) {
	spent, err := spending([]int{os.Getpid()}, func() error {
		for before, err := cpuTime(os.Getpid()); err == nil; {
			if now, err := cpuTime(os.Getpid()); err != nil || now > before {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, spent[0], 0.0)
	held, err := memory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, held, 1e5)

	_, err = cpuTime(1 << 23)
	require.Error(t, err)
	_, err = memory(1 << 23)
	require.Error(t, err)
}

func TestPss(t *testing.T) {
	pss, err := pssOf([]byte("55e7d4cf5000-7ffc00424000 ---p [rollup]\nRss:   1852 kB\nPss:    325 kB\nPss_Dirty:   116 kB\n"))
	require.NoError(t, err)
	require.EqualValues(t, 325<<10, pss)
	_, err = pssOf([]byte("Rss: 1 kB\n"))
	require.Error(t, err)
}
