package detector

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Curves of the time to detect a crash against mistakes, and the table of detectors with one setting for all traces.
//
//	CURVES=1 go test -v -run TestCurves -timeout 1h ./plugins/processors/liveness/detector
const (
	curvesColonies = 4
	fewest         = 1 // mistakes a year: none at all are drawn there
)

// TestCurves writes ../curves.svg, and logs the table and the points of the curves, if the environment has CURVES.
func TestCurves(t *testing.T) {
	if os.Getenv("CURVES") == "" {
		t.Skip("takes long and writes a file: set CURVES=1")
	}
	subjects := append([]subject{adaptive(10, 30, 100, 300, 600, 1000, 2000, 10_000, 20_000, 25_000)}, peers...)
	results := make([][][]quality, len(traces)) // of each trace, subject and setting
	for i := range traces {
		results[i] = simulate(&traces[i], curvesColonies, subjects...)
	}
	drawCurves(t, subjects, results)
	t.Log("\n" + oneSetting(subjects, results[:len(promised)]))
	for i := range results {
		t.Log(traces[i].name)
		for s := range subjects {
			for k := range subjects[s].settings {
				mean, p99 := results[i][s][k].detection()
				t.Logf("%s %.3g: %.1f (%.0f), %.0f", subjects[s].name, subjects[s].settings[k], mean.Seconds(), p99.Seconds(), results[i][s][k].perYear())
			}
		}
	}
}

// decades are the ticks of a logarithmic axis. There is room for the number of every second one.
type decades struct{}

func (decades) Ticks(least, most float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(least, most)
	for i, t := range ticks {
		if t.Label != "" && int(math.Round(math.Log10(t.Value)))%2 != 0 {
			ticks[i].Label = " " // without any it would have no line in the grid
		}
	}
	return ticks
}

// drawCurves writes a picture with one plot for each trace.
func drawCurves(t *testing.T, subjects []subject, results [][][]quality) {
	const columns = 4
	rows := (len(traces) + columns) / columns // there is room for one more, with the names
	plots := make([][]*plot.Plot, rows)
	for row := range plots {
		plots[row] = make([]*plot.Plot, columns)
		for column := range plots[row] {
			i := row*columns + column
			if i > len(traces) {
				continue
			}
			p := plot.New()
			plots[row][column] = p
			if i == len(traces) {
				p.HideAxes()
			} else {
				p.Title.Text = traces[i].name
				p.X.Label.Text, p.Y.Label.Text = "mistakes a year", "T_D, s"
				p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
				p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = fewest, 1e5, 0, 70
				p.Add(plotter.NewGrid())
			}
			for s := range subjects {
				var points plotter.XYs
				for k := range subjects[s].settings {
					if i == len(traces) {
						break
					}
					mean, _ := results[i][s][k].detection()
					rate := max(results[i][s][k].perYear(), fewest)
					if mean.Seconds() <= p.Y.Max && rate <= p.X.Max {
						points = append(points, plotter.XY{X: rate, Y: mean.Seconds()})
					}
				}
				line, marks, err := plotter.NewLinePoints(points)
				if err != nil && len(points) > 0 {
					t.Fatal(err)
				}
				if len(points) == 0 {
					line, marks = &plotter.Line{LineStyle: plotter.DefaultLineStyle}, &plotter.Scatter{GlyphStyle: plotter.DefaultGlyphStyle}
				}
				line.Color, marks.Color = plotutil.Color(s), plotutil.Color(s)
				marks.Shape, marks.Radius = plotutil.Shape(s), vg.Points(1.5)
				if s == 0 {
					line.Color, marks.Color, line.Width = color.Black, color.Black, vg.Points(2)
				}
				if i == len(traces) {
					p.Legend.Add(subjects[s].name, line, marks)
				} else if len(points) > 0 {
					p.Add(line, marks)
				}
			}
		}
	}
	canvas := vgsvg.New(26*vg.Centimeter, vg.Length(rows)*6*vg.Centimeter)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: vg.Millimeter, PadY: vg.Millimeter}
	for row, line := range plot.Align(plots, tiles, draw.New(canvas)) {
		for column, tile := range line {
			if p := plots[row][column]; p != nil {
				p.Draw(tile)
			}
		}
	}
	file, err := os.Create("../curves.svg")
	require.NoError(t, err)
	defer file.Close()
	_, err = canvas.WriteTo(file)
	require.NoError(t, err)
}

// oneSetting returns the table of detectors that judge all of some traces with the same setting: mean T_D, and mistakes
// a year on the worst trace and on average. Of a peer that is both sooner and more rarely mistaken on the worst trace
// than the adaptive detector at some setting, that setting is named.
func oneSetting(subjects []subject, results [][][]quality) string {
	var table strings.Builder
	table.WriteString("| detector | setting | T_D, s | mistakes a year, worst trace | mean | better than adaptive at |\n|---|--:|--:|--:|--:|---|\n")
	summary := func(s, k int) (soon, worst, mean float64) {
		for i := range results {
			q := &results[i][s][k]
			d, _ := q.detection()
			soon += d.Seconds() / float64(len(results))
			mean += q.perYear() / float64(len(results))
			worst = max(worst, q.perYear())
		}
		return soon, worst, mean
	}
	for s := range subjects {
		for k, setting := range subjects[s].settings {
			soon, worst, mean := summary(s, k)
			better := ""
			for n, asked := range subjects[0].settings {
				if ourSoon, ourWorst, _ := summary(0, n); s > 0 && soon < ourSoon && worst < ourWorst {
					better += fmt.Sprintf(" %g", asked)
				}
			}
			fmt.Fprintf(&table, "| %s | %.3g | %.1f | %.0f | %.0f |%s |\n", subjects[s].name, setting, soon, worst, math.Round(mean), better)
		}
	}
	return table.String()
}
