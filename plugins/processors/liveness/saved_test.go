package liveness

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"
)

// saved is an accumulator that keeps what the state file held when gaps were opened.
type saved struct {
	testutil.Accumulator
	file  string
	known map[string]string // the file, by incident, when that was opened
}

func (s *saved) AddFields(measurement string, fields map[string]any, _ map[string]string, _ ...time.Time) {
	if measurement != "liveness_gap" {
		return
	}
	incident := fields["incident_id"].(string)
	if _, again := s.known[incident]; !again {
		content, _ := os.ReadFile(s.file)
		next, _ := os.ReadFile(s.file + ".next")
		s.known[incident] = string(content) + string(next)
	}
}

// A processor that is killed just after it opened a gap has to know under which id.
func TestGapIsSavedBeforeItIsOpened(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.Live(0, 1, "dies", "lives")
	s := &saved{file: file, known: make(map[string]string)}
	for at := 2.0; at < 9; at += 0.25 {
		name, tags := tickMeasurement, map[string]string{"host": "h"}
		if at == math.Trunc(at) {
			name, tags["zooid"] = "chembus_heartbeat", "lives"
		}
		require.NoError(t, r.Add(metric.New(name, tags, map[string]any{"observed_s": at, "sent": 1000 + at}, time.Unix(int64(at), 0)), s))
	}
	require.Len(t, s.known, 1)
	for incident, content := range s.known {
		require.Contains(t, content, incident)
	}
}

// TestStateOfABusOptionThatIsShorterToday has two buses that are the same by today's option.
func TestStateOfABusOptionThatIsShorterToday(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 3 {
		for i, e := range []string{"one", "two"} {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": e, "zooid": e}, 1, float64(at)+float64(i)/10)
			r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": e}, 1, float64(at)+float64(i)/10)
		}
	}
	r.Stop()
	r = start(t, file, func(l *Liveness) { l.Bus = []string{"host"} })
	var found []string
	for at := range 10 {
		found = append(found, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "one"}, 2, float64(at))...)
	}
	require.Contains(t, found, "two heartbeat_missing true", "the bus that was heard last is kept")
	require.NotContains(t, found, "one heartbeat_missing true")
	require.Contains(t, fmt.Sprint(r.log.Warnings()), `What was known of the bus "h one", its 1 components among it, is dropped: by the present option bus it is the same as "h"`)
}

// TestEvictedBusIsNotInTheState has a bus with an open outage make room: it is not known after a kill.
func TestEvictedBusIsNotInTheState(t *testing.T) {
	file := stateFile(t)
	r := start(t, file, func(l *Liveness) { l.MaxBuses, l.MassCount = 1, 1 })
	r.hear("gone", 1, 0, 0, "a", "b", "c")
	require.Contains(t, fmt.Sprint(r.hear("gone", 1, 1, 20)), "heartbeat_mass_missing true")
	m := newMetric(tickMeasurement, "next", "", 1, 0)
	m.SetTime(time.Unix(25*3600, 0))
	r.acc.ClearMetrics()
	require.NoError(t, r.Add(m, &r.acc))
	require.Len(t, gaps(&r.acc), 2, "both are closed")
	state, _, err := readState(copyOf(t, file))
	require.NoError(t, err)
	for _, b := range state.Buses {
		require.NotContains(t, b.Values, "gone")
	}
}
