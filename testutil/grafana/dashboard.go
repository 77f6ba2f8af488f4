// Package grafana reads Grafana dashboards and fills the variables of their queries as Grafana does.
package grafana

import (
	"encoding/json"
	"fmt"
	"os"
)

// Dashboard is what a dashboard's JSON holds, as far as the tests look at it.
type Dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Panels        []Panel
	Templating    struct{ List []Variable }
	Time          struct{ From, To string }
}

// Panel is one panel; a row is a panel, too.
type Panel struct {
	ID              int
	Type            string
	Title           string
	Description     string
	GridPos         GridPos
	Datasource      *Datasource
	Interval        string // the least that $__interval may be
	TimeFrom        string // how far back it looks, whatever the dashboard's range is
	Targets         []Target
	FieldConfig     FieldConfig
	Options         json.RawMessage
	Transformations json.RawMessage
}

// GridPos is where a panel stands, on a grid that is 24 wide.
type GridPos struct{ X, Y, W, H int }

// Datasource names a data source.
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

// Variable is one the user can choose.
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
