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
	figure  string
	ours    string
	peer    string // what the peer's figure is, named
	ratio   string // ours over the peer's
	budget  string
	verdict verdict
}

type verdict string

// The verdicts on a figure.
const (
	passed verdict = "pass"
	failed verdict = "FAIL"
	told   verdict = "–" // has no budget
)

// judged is the verdict on whether a budget was kept.
func judged(kept bool) verdict {
	if kept {
		return passed
	}
	return failed
}

// table is what the bench prints; the rows of a part appear together.
type table []row

// print writes the table, as it can stand in a README.
func (t table) print(out io.Writer) error {
	cells := [][]string{{"figure", "ours", "peer", "ratio", "budget", "verdict"}, nil}
	for _, r := range t {
		cells = append(cells, []string{r.figure, r.ours, cmp.Or(r.peer, "–"), cmp.Or(r.ratio, "–"), cmp.Or(r.budget, "–"), string(r.verdict)})
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

// failures counts the budgets that were not kept.
func (t table) failures() int {
	n := 0
	for _, r := range t {
		if r.verdict == failed {
			n++
		}
	}
	return n
}

// median returns the middle value; NaN of none.
func median(values []float64) float64 {
	return quantile(values, 0.5)
}

// quantile returns the value below which a share q of the others lie, by linear interpolation between the
// two nearest; NaN of none.
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

// The units that the table uses.
func micros(seconds float64) string  { return fmt.Sprintf("%.2f µs", seconds*1e6) }
func seconds(seconds float64) string { return fmt.Sprintf("%.2f s", seconds) }
func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/1e6) }
func percent(share float64) string   { return fmt.Sprintf("%.2f %%", share*100) }
func times(ratio float64) string     { return fmt.Sprintf("%.*f×", decimals(ratio), ratio) }

// decimals is how many a ratio needs.
func decimals(ratio float64) int {
	if ratio < 0.1 {
		return 3
	}
	return 2
}
