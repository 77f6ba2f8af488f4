package grafana

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Fill says what a query is filled with.
type Fill struct {
	From, To time.Time
	Interval time.Duration       // of one point; that of the panel, if that is longer
	Values   map[string][]string // what is chosen of each variable
}

// All is the choice of everything that a variable offers.
var All = []string{"$__all"}

// InfluxQL fills a query for InfluxDB's query language.
func (f Fill) InfluxQL(query string, variables []Variable) string {
	return strings.NewReplacer(
		"$timeFilter", "time >= "+milliseconds(f.From)+" and time <= "+milliseconds(f.To),
		"$__interval_ms", strconv.FormatInt(f.Interval.Milliseconds(), 10),
		"$__interval", f.Interval.String(),
	).Replace(f.choose(query, variables))
}

// Flux fills a query for Flux.
func (f Fill) Flux(query string, variables []Variable) string {
	return strings.NewReplacer(
		"v.timeRangeStart", f.From.UTC().Format(time.RFC3339Nano),
		"v.timeRangeStop", f.To.UTC().Format(time.RFC3339Nano),
		"v.windowPeriod", f.Interval.String(),
		"$__interval_ms", strconv.FormatInt(f.Interval.Milliseconds(), 10),
	).Replace(f.choose(query, variables))
}

func milliseconds(t time.Time) string {
	return strconv.FormatInt(t.UnixMilli(), 10) + "ms"
}

var special = regexp.MustCompile(`[\\^$*+?.()|\[\]{}/]`)

// choose puts in the user's choice: ${name:regex} as an expression that matches any of the values, ${name} as it
// is. Everything stands as the variable says.
func (f Fill) choose(query string, variables []Variable) string {
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
