// Package grafana reads Grafana dashboards and replaces the variables in their queries as Grafana does.
package grafana

import (
	"encoding/json"
	"fmt"
	"os"
)

// Dashboard is a dashboard's JSON, as far as the tests use it.
type Dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Panels        []Panel
	Templating    struct{ List []Variable }
	Annotations   struct{ List []Annotation }
	Time          struct{ From, To string }
}

// Annotation marks times in the graphs.
type Annotation struct {
	Name   string
	Query  string // of InfluxQL
	Expr   string // of Prometheus
	Target Target // of Flux
}

// Panel is a panel or a row.
type Panel struct {
	ID              int
	Type            string
	Title           string
	Description     string
	GridPos         GridPos
	Datasource      *Datasource
	Interval        string // minimum of $__interval
	TimeFrom        string // time range of the panel, instead of the dashboard's
	Targets         []Target
	FieldConfig     FieldConfig
	MaxDataPoints   int
	Options         json.RawMessage
	Transformations json.RawMessage
	Panels          []Panel // of a row that is folded
}

// GridPos is the position of a panel on a grid with 24 columns.
type GridPos struct{ X, Y, W, H int }

// Datasource refers to a data source.
type Datasource struct{ Type, UID string }

// Target is one query of a panel.
type Target struct {
	RefID        string
	Datasource   *Datasource
	Query        string // of InfluxDB
	Expr         string // of Prometheus
	Instant      bool   // of Prometheus: at the end of the range only
	RawQuery     bool
	ResultFormat string // of InfluxQL: "time_series" or "table"
	Alias        string // of InfluxQL
}

// FieldConfig says how a panel shows its values.
type FieldConfig struct {
	Defaults  FieldDefaults
	Overrides json.RawMessage
}

// FieldDefaults is what applies to all fields of a panel.
type FieldDefaults struct {
	Unit        string
	DisplayName string
	Mappings    []Mapping
	Thresholds  *struct {
		Mode  string
		Steps []struct {
			Color string
			Value *float64
		}
	}
	Min, Max, Decimals *float64
	NoValue            string
	Color, Custom      json.RawMessage
}

// Mapping gives values a text and a colour.
type Mapping struct {
	Type    string // "value" or "special"
	Options map[string]Mapped
	Match   string // of a special one: "null"
	Result  Mapped // of a special one
}

// Mapped is the text and the colour of a value.
type Mapped struct {
	Text, Color string
	Index       int
}

// UnmarshalJSON reads the options by type.
func (m *Mapping) UnmarshalJSON(content []byte) error {
	var raw struct {
		Type    string
		Options json.RawMessage
	}
	if err := json.Unmarshal(content, &raw); err != nil {
		return err
	}
	m.Type = raw.Type
	if m.Type == "value" {
		return json.Unmarshal(raw.Options, &m.Options)
	}
	var special struct {
		Match  string
		Result Mapped
	}
	err := json.Unmarshal(raw.Options, &special)
	m.Match, m.Result = special.Match, special.Result
	return err
}

// Variable is a variable of a dashboard.
type Variable struct {
	Name       string
	Type       string // "query" or "datasource"
	Query      string
	Datasource *Datasource
	Multi      bool
	IncludeAll bool
	AllValue   string
}

// All returns all panels, also those of rows that are folded, apart from their rows.
func (d *Dashboard) All() []Panel {
	var all []Panel
	for _, p := range d.Panels {
		folded := p.Panels
		p.Panels = nil
		all = append(append(all, p), folded...)
	}
	return all
}

// Load reads a dashboard.
func Load(file string) (*Dashboard, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &Dashboard{}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("reading dashboard %s: %w", file, err)
	}
	return d, nil
}
