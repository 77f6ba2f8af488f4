package grafana

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Fill holds the values for the variables of a query.
type Fill struct {
	From, To time.Time
	Interval time.Duration       // between two points
	Values   map[string][]string // the selected values of each variable
}

// All selects all values of a variable.
var All = []string{"$__all"}

// InfluxQL replaces the variables of an InfluxQL query.
func (f Fill) InfluxQL(query string, variables []Variable) string {
	return strings.NewReplacer(
		"$timeFilter", "time >= "+milliseconds(f.From)+" and time <= "+milliseconds(f.To),
		"$__interval_ms", strconv.FormatInt(f.Interval.Milliseconds(), 10),
		"$__interval", f.Interval.String(),
		"${__to}", strconv.FormatInt(f.To.UnixMilli(), 10),
	).Replace(f.replace(query, variables))
}

// Flux replaces the variables of a Flux query.
func (f Fill) Flux(query string, variables []Variable) string {
	return strings.NewReplacer(
		"v.timeRangeStart", f.From.UTC().Format(time.RFC3339Nano),
		"v.timeRangeStop", f.To.UTC().Format(time.RFC3339Nano),
		"v.windowPeriod", f.Interval.String(),
		"$__interval_ms", strconv.FormatInt(f.Interval.Milliseconds(), 10),
	).Replace(f.replace(query, variables))
}

// PromQL replaces the variables of a PromQL expression, in which Grafana escapes the values twice: for the regular
// expression and for the string that holds it.
func (f Fill) PromQL(query string, variables []Variable) string {
	query = strings.NewReplacer(
		"$__rate_interval", (4 * f.Interval).String(),
		"$__interval", f.Interval.String(),
		"$__range", f.To.Sub(f.From).Round(time.Second).String(),
	).Replace(query)
	for _, v := range variables {
		values, ok := f.Values[v.Name]
		if !ok {
			continue
		}
		pattern := v.AllValue
		if values[0] != All[0] {
			escaped := make([]string, len(values))
			for i, value := range values {
				escaped[i] = strings.ReplaceAll(special.ReplaceAllString(value, `\$0`), `\`, `\\`)
			}
			pattern = strings.Join(escaped, "|")
		}
		query = strings.ReplaceAll(query, "$"+v.Name, pattern)
	}
	return query
}

func milliseconds(t time.Time) string {
	return strconv.FormatInt(t.UnixMilli(), 10) + "ms"
}

var special = regexp.MustCompile(`[\\^$*+?.()|\[\]{}/]`)

// replace replaces ${name:regex} by an expression that matches any of the selected values, and ${name} by the first
// value. All stands for the variable's own AllValue.
func (f Fill) replace(query string, variables []Variable) string {
	for _, v := range variables {
		values, ok := f.Values[v.Name]
		if !ok {
			continue
		}
		pattern := v.AllValue
		if values[0] != All[0] {
			escaped := make([]string, len(values))
			for i, value := range values {
				escaped[i] = special.ReplaceAllString(value, `\$0`)
			}
			pattern = escaped[0]
			if len(escaped) > 1 {
				pattern = "(" + strings.Join(escaped, "|") + ")"
			}
		}
		query = strings.ReplaceAll(query, "${"+v.Name+":regex}", pattern)
		query = strings.ReplaceAll(query, "${"+v.Name+"}", values[0])
	}
	return query
}
