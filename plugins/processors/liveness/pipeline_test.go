package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
)

// pass adds metrics of the input with a name each second, without ticks, and returns what is logged.
func (r *run) pass(name string, from, to int) []string {
	r.t.Helper()
	for at := from; at <= to; at++ {
		r.at = time.Unix(int64(at), 0)
		m := metric.New(name, map[string]string{"host": "h"}, map[string]any{"observed_s": float64(at)}, r.at)
		require.NoError(r.t, r.Add(m, &r.acc))
	}
	return logged(r.log)
}

func TestMetricsWithoutTicksAreLogged(t *testing.T) {
	const filtered = `^W! No component is judged: "chembus_bus" came for 30s and no "chembus_tick". Add it to namepass of this processor`
	for _, file := range []string{"", stateFile(t)} { // judging, and waiting for the first tick
		r := start(t, file)
		require.Empty(t, r.pass("chembus_bus", 0, 29))
		lines := r.pass("chembus_bus", 30, 200)
		require.Len(t, lines, 1, "once")
		require.Regexp(t, filtered, lines[0])
		r.Tick(201)
		logged(r.log)
		require.Empty(t, r.pass("chembus_bus", 202, 231))
		require.Len(t, r.pass("chembus_bus", 232, 300), 1, "and again when they stop")
	}
}

// TestOneBusWithoutTicksIsLogged has the ticks of one bus of two be dropped on the way. Those that come in batches are not.
func TestOneBusWithoutTicksIsLogged(t *testing.T) {
	r := start(t, "")
	for at := range 200 {
		r.feedMetric(tickMeasurement, map[string]string{"host": "g"}, 1, float64(at))
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "zooid": "a"}, 1, float64(at))
		if at%50 == 0 {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": "i", "zooid": "b"}, 1, float64(at))
			r.feedMetric(tickMeasurement, map[string]string{"host": "i"}, 1, float64(at))
			r.feedMetric("chembus_heartbeat", map[string]string{"host": "i", "zooid": "b"}, 1, float64(at))
		}
	}
	require.Len(t, r.log.Warnings(), 1)
	require.Contains(t, r.log.Warnings()[0], `No component of the bus "h" is judged: its heartbeats came for 1m0s and no "chembus_tick" with the same tags ["host", "endpoint"]`)
}

// TestEachBusWithoutTicksIsLogged has those of two buses be dropped, and those of a third come late.
func TestEachBusWithoutTicksIsLogged(t *testing.T) {
	r := start(t, "")
	for at := range 200 {
		if at >= 80 {
			r.feedMetric(tickMeasurement, map[string]string{"host": "g"}, 1, float64(at))
		}
		for _, host := range []string{"h", "i"} {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": host, "zooid": "a"}, 1, float64(at))
		}
	}
	lines := r.log.Warnings()
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], `No component is judged: "chembus_heartbeat" came for 30s`)
	require.Contains(t, lines[1], `No component of the bus "h" is judged`)
	require.Contains(t, lines[2], `No component of the bus "i" is judged`)
}

// TestBusThatCannotBeHeardNeedsNoTicks has the bus be away for longer than ticks are waited for, and come back.
func TestBusThatCannotBeHeardNeedsNoTicks(t *testing.T) {
	r := start(t, "")
	for at := range 300 {
		away := at > 100 && at < 200
		m := metric.New(busMeasurement, map[string]string{"host": "h"}, map[string]any{"observed_s": float64(at), "observable": !away}, time.Unix(int64(at), 0))
		r.at = m.Time()
		require.NoError(t, r.Add(m, &r.acc))
		if !away {
			r.Beat("a", float64(at))
			r.Tick(float64(at))
			r.Beat("a", float64(at)+0.1)
		}
	}
	require.Empty(t, r.log.Warnings())
}

// TestRareTicksAreNotMissing has ticks come once a minute, as blind_after allows, and all else more often.
func TestRareTicksAreNotMissing(t *testing.T) {
	r := start(t, "", func(l *Liveness) {
		l.BlindAfter, l.Threshold = config.Duration(90*time.Second), config.Duration(5*time.Minute)
		l.Expected, l.ExpectWithin = []string{"i/a"}, config.Duration(10*time.Second)
	})
	for at := range 600 {
		if at%60 == 0 {
			r.feedMetric(tickMeasurement, map[string]string{"host": "h"}, 1, float64(at))
		}
		if at%60 == 59 {
			r.feedMetric(tickMeasurement, map[string]string{"host": "i"}, 1, float64(at))
		}
		r.feedMetric(busMeasurement, map[string]string{"host": "h"}, 1, float64(at))
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "zooid": "a"}, 1, float64(at))
	}
	require.Empty(t, r.log.Warnings())
}

func TestRenamedTicksAreLogged(t *testing.T) {
	r := start(t, "")
	r.pass("my_chembus_tick", 0, 0)
	lines := r.pass("my_chembus_bus", 0, 40)
	require.Len(t, lines, 1)
	require.Regexp(t, `^W! No component is judged: ticks come as "my_chembus_tick" and not as "chembus_tick". Remove the name_prefix`, lines[0])
}

func TestOtherMetricsNeedNoTicks(t *testing.T) {
	r := start(t, "")
	require.Empty(t, r.pass("cpu", 0, 100))
	require.Empty(t, r.pass("chembus_output", 0, 100), "which another process sends")
}

// TestCopyBehindAggregatorsNeedsNoTicks has an aggregator pass on metrics of the input.
func TestCopyBehindAggregatorsNeedsNoTicks(t *testing.T) {
	file := stateFile(t)
	behind, first := start(t, file), start(t, file)
	first.Tick(0)
	require.Empty(t, behind.pass("chembus_bus", 0, 100))
}
