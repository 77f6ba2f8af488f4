package influxdb

import (
	"context"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
)

// Flux runs a Flux query and returns its rows as maps from column to value.
func (s *Server) Flux(ctx context.Context, query string) ([]map[string]any, error) {
	client := influxdb2.NewClientWithOptions(s.URL, "", influxdb2.DefaultOptions().SetHTTPRequestTimeout(0)) // ctx ends it
	defer client.Close()
	result, err := client.QueryAPI("").Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var rows []map[string]any
	for result.Next() {
		rows = append(rows, result.Record().Values())
	}
	return rows, result.Err()
}
