package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// row is one figure of the table.
type row struct {
	figure   string
	ours     string
	baseline string // the figure of another program, with its name
	ratio    string // ours divided by the baseline
	budget   string
	result   result
}

type result string

const (
	passed   result = "pass"
	failed   result = "FAIL"
	noBudget result = "–"
)

// within returns the result of a figure with a budget.
func within(budget bool) result {
	if budget {
		return passed
	}
	return failed
}

// table is the output of the bench.
type table []row

// print writes the table as Markdown.
func (t table) print(out io.Writer) error {
	cells := [][]string{{"figure", "ours", formerCommit, "baseline", "ratio", "budget", "result"}, nil}
	for _, r := range t {
		cells = append(cells, []string{
			r.figure, r.ours, cmp.Or(former[r.figure], "–"),
			cmp.Or(r.baseline, "–"), cmp.Or(r.ratio, "–"), cmp.Or(r.budget, "–"), string(r.result),
		})
	}
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, width := range widths {
		cells[1] = append(cells[1], strings.Repeat("-", width))
	}
	var text strings.Builder
	for _, line := range cells {
		for i, cell := range line {
			text.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		text.WriteString("|\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// failures counts the exceeded budgets.
func (t table) failures() int {
	n := 0
	for _, r := range t {
		if r.result == failed {
			n++
		}
	}
	return n
}

// median returns the median; NaN if there are no values.
func median(values []float64) float64 {
	return quantile(values, 0.5)
}

// quantile returns the q-quantile, from 0 to 1, by linear interpolation; NaN if there are no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// These format a figure with its unit.
func micros(seconds float64) string  { return fmt.Sprintf("%.2f µs", seconds*1e6) }
func seconds(seconds float64) string { return fmt.Sprintf("%.2f s", seconds) }
func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/1e6) }
func percent(share float64) string   { return fmt.Sprintf("%.2f %%", share*100) }
func times(ratio float64) string     { return fmt.Sprintf("%.*f×", decimals(ratio), ratio) }

// decimals returns the number of decimals for a ratio.
func decimals(ratio float64) int {
	if ratio < 0.1 {
		return 3
	}
	return 2
}
