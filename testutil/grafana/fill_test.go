package grafana

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFill(t *testing.T) {
	variables := []Variable{{Name: "bucket"}, {Name: "zooid", Multi: true, IncludeAll: true, AllValue: ".*"}}
	from := time.Unix(1, 500_000_000)
	fill := func(zooids ...string) Fill {
		return Fill{
			From: from, To: from.Add(time.Minute), Interval: 30 * time.Second,
			Values: map[string][]string{"bucket": {"telegraf"}, "zooid": zooids},
		}
	}
	const ql = `$timeFilter AND zooid =~ /^${zooid:regex}$/ GROUP BY time($__interval) -- $__interval_ms`
	require.Equal(t, `time >= 1500ms and time <= 61500ms AND zooid =~ /^.*$/ GROUP BY time(30s) -- 30000`,
		fill(All...).InfluxQL(ql, variables))
	require.Contains(t, fill("a.b").InfluxQL(ql, variables), `/^a\.b$/`)
	require.Contains(t, fill("a/b", "c").InfluxQL(ql, variables), `/^(a\/b|c)$/`)

	const flux = `from(bucket: "${bucket}") |> range(start: v.timeRangeStart, stop: v.timeRangeStop) |> window(every: v.windowPeriod)`
	require.Equal(t, `from(bucket: "telegraf") |> range(start: 1970-01-01T00:00:01.5Z, stop: 1970-01-01T00:01:01.5Z) |> window(every: 30s)`,
		fill(All...).Flux(flux, variables))

	const promQL = `rate(beats{zooid=~"$zooid"}[$__rate_interval]) > $__interval > $__range`
	require.Equal(t, `rate(beats{zooid=~".*"}[2m0s]) > 30s > 1m0s`, fill(All...).PromQL(promQL, variables))
	require.Contains(t, fill("a.b", "c").PromQL(promQL, variables), `zooid=~"a\\.b|c"`)
}
