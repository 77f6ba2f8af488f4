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
	Time          struct{ From, To string }
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
	Options         json.RawMessage
	Transformations json.RawMessage
}

// GridPos is the position of a panel on a grid with 24 columns.
type GridPos struct{ X, Y, W, H int }

// Datasource refers to a data source.
type Datasource struct{ Type, UID string }

// Target is one query of a panel.
type Target struct {
	RefID        string
	Datasource   *Datasource
	Query        string
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
	Type    string
	Options map[string]struct {
		Text, Color string
		Index       int
	}
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
