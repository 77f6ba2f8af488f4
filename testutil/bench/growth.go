package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// detectorPackage has the benchmarks of the processor's logic.
const detectorPackage = "plugins/processors/liveness/detector"

// growthCounts are the numbers of zooids in the benchmarks.
var growthCounts = []int{100, 1_000, 10_000, 100_000, 1_000_000}

// growth measures how the CPU time of a beat and the bytes of a zooid grow with the number of zooids, with the Go benchmarks
// of the input and the processor.
func (b *bench) growth(ctx context.Context) (table, error) {
	var rows table
	together := make(map[int]float64)
	for _, part := range []struct{ name, dir string }{
		{"input", "plugins/inputs/chembus"},
		{"processor", detectorPackage},
	} {
		beats, err := b.benchmark(ctx, part.dir, "BenchmarkBeat", "cpu-ns/op", rounds)
		if err != nil {
			return nil, err
		}
		sizes, err := b.benchmark(ctx, part.dir, "BenchmarkMemory", "B/zooid", 1)
		if err != nil {
			return nil, err
		}
		costs, bytes := make(map[int]float64), make(map[int]float64)
		for _, n := range growthCounts {
			costs[n] = median(beats[n])
			bytes[n] = median(sizes[n])
			together[n] += costs[n]
		}
		delete(bytes, growthCounts[0]) // too few to measure
		rows = append(rows,
			row{"growth, " + part.name + ": CPU ns per beat at 10², 10³, 10⁴, 10⁵, 10⁶ zooids", series(costs), "10⁶ / 10²", times(grown(costs)), "", noBudget},
			row{"growth, " + part.name + ": bytes per zooid at 10³, 10⁴, 10⁵, 10⁶ zooids", series(bytes), "", "", "", noBudget},
		)
	}
	return append(table{
		{"growth, input and processor: CPU ns per beat at 10², 10³, 10⁴, 10⁵, 10⁶ zooids", series(together), "10⁶ / 10²",
			times(grown(together)), "3×", within(grown(together) <= 3)},
	}, rows...), nil
}

// series lists the figures by number of zooids.
func series(figures map[int]float64) string {
	var list []string
	for _, n := range growthCounts {
		if figure, ok := figures[n]; ok {
			list = append(list, fmt.Sprintf("%.0f", figure))
		}
	}
	return strings.Join(list, ", ")
}

// grown returns the last figure divided by the first.
func grown(figures map[int]float64) float64 {
	return figures[growthCounts[len(growthCounts)-1]] / figures[growthCounts[0]]
}

// benchmark runs a benchmark of a package count times.
func (b *bench) benchmark(ctx context.Context, dir, name, unit string, count int) (map[int][]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchtime", "0.5s",
		"-count", strconv.Itoa(count), "-timeout", "20m", "./"+dir)
	cmd.Dir = b.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w\n%s", name, dir, err, out)
	}
	return benchmarks(out, name, unit), nil
}

// benchmarks returns the figures with a unit from the output of a benchmark, by number of zooids.
func benchmarks(out []byte, name, unit string) map[int][]float64 {
	figures := make(map[int][]float64)
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		count, ok := strings.CutPrefix(words[0], name+"/zooids=")
		if !ok {
			continue
		}
		count, _, _ = strings.Cut(count, "-") // followed by GOMAXPROCS
		n, err := strconv.Atoi(count)
		if err != nil {
			continue
		}
		for i := 1; i < len(words); i++ {
			if words[i] != unit {
				continue
			}
			if value, err := strconv.ParseFloat(words[i-1], 64); err == nil {
				figures[n] = append(figures[n], value)
			}
		}
	}
	return figures
}
