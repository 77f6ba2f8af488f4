package grafana

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Series is a field of a query's result; nil values are null.
type Series struct {
	Name   string
	Values []any // float64 or bool
}

// Tile is one value of a stat panel as it is shown.
type Tile struct{ Text, Color string }

// Stat returns what Grafana shows in a stat panel for the results of its queries.
func (p *Panel) Stat(results []Series) ([]Tile, error) {
	var options struct {
		ReduceOptions struct {
			Calcs  []string
			Fields string
		}
	}
	if err := json.Unmarshal(p.Options, &options); err != nil {
		return nil, fmt.Errorf("options of %q: %w", p.Title, err)
	}
	if strings.Contains(string(p.Transformations), `"seriesToRows"`) {
		results = seriesToRows(results)
	}
	var tiles []Tile
	for _, s := range results {
		if !isShown(s, options.ReduceOptions.Fields) {
			continue
		}
		tiles = append(tiles, p.FieldConfig.Defaults.show(reduce(s.Values, options.ReduceOptions.Calcs[0])))
	}
	if len(tiles) == 0 { // Grafana then shows null
		tiles = []Tile{p.FieldConfig.Defaults.show(nil)}
	}
	return tiles, nil
}

// seriesToRows makes one series of the sums of all.
func seriesToRows(results []Series) []Series {
	if len(results) == 0 {
		return nil
	}
	rows := Series{Name: "Total"}
	for _, s := range results {
		rows.Values = append(rows.Values, reduce(s.Values, "sum"))
	}
	return []Series{rows}
}

// isShown reports whether a stat panel shows a series: one of the fields that it names, or without a name any number.
func isShown(s Series, fields string) bool {
	if fields != "" {
		return regexp.MustCompile(strings.Trim(fields, "/")).MatchString(s.Name)
	}
	for _, v := range s.Values {
		if _, number := v.(float64); number {
			return true
		}
	}
	return false
}

// reduce returns the sum, or the last value that is not null.
func reduce(values []any, calc string) any {
	var reduced any
	for _, v := range values {
		switch n, number := v.(float64); {
		case v == nil:
		case calc == "sum" && number:
			total, _ := reduced.(float64)
			reduced = total + n
		default:
			reduced = v
		}
	}
	return reduced
}

// show returns the text and the colour of a value: those of a mapping, else the threshold's.
func (d *FieldDefaults) show(value any) Tile {
	t := Tile{Text: d.NoValue, Color: d.Thresholds.Steps[0].Color}
	if value != nil {
		t.Text = fmt.Sprint(value)
	}
	if n, number := value.(float64); number {
		t.Text = strconv.FormatFloat(n, 'f', -1, 64)
		for _, step := range d.Thresholds.Steps {
			if step.Value == nil || n >= *step.Value {
				t.Color = step.Color
			}
		}
	}
	for _, m := range d.Mappings {
		mapped, found := m.Options[t.Text]
		if m.Match == "null" && value == nil {
			mapped, found = m.Result, true
		}
		if found {
			return Tile{Text: mapped.Text, Color: mapped.Color}
		}
	}
	return t
}
