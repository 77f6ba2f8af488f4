package watch

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
)

// retired is the state of a component that the processor has just removed.
const retired = "retired"

// view turns the metrics of the input and of the processor into snapshots. It decides nothing, reads no clock and does
// no I/O.
type view struct {
	measurement string            // of heartbeats
	identity    []string          // the tags that identify a component
	busNames    []string          // the tags that identify a bus
	own         map[string]string // those of the bus to show
	bus         Bus
	zooids      map[string]Zooid   // reported by the processor since the last snapshot
	lags        map[string]float64 // of the components that the input has received beats of, in seconds; NaN if unknown
}

func newView(measurement string, identity, busNames []string, own map[string]string) *view {
	return &view{
		measurement: measurement,
		identity:    identity,
		busNames:    busNames,
		own:         own,
		zooids:      make(map[string]Zooid),
		lags:        make(map[string]float64),
	}
}

// Add takes a metric of the input or of the processor. Components of other buses are ignored.
func (v *view) Add(m telegraf.Metric) {
	switch m.Name() {
	case "chembus_bus":
		v.bus = busOf(m)
	case "liveness":
		if !v.isOwn(m) {
			return
		}
		if z := v.zooidOf(m); z.State == retired {
			delete(v.zooids, z.Name)
		} else {
			v.zooids[z.Name] = z
		}
	case v.measurement:
		if name, ok := v.name(m); ok {
			v.lags[name] = float(m, "lag_s", math.NaN())
		}
	}
}

// Snapshot returns the components reported since the last snapshot. Before each, the processor must report all of them.
func (v *view) Snapshot(now time.Time) Snapshot {
	s := Snapshot{Time: now.UTC().Round(time.Millisecond), Bus: v.bus, Notes: []string{}, Zooids: make([]Zooid, 0, len(v.zooids))}
	lags := make(map[string]float64) // only of components that the processor still knows
	var known []float64
	for name, z := range v.zooids {
		if lag, heard := v.lags[name]; heard {
			lags[name] = lag
			z.Heard = true
			if !math.IsNaN(lag) {
				z.LagS = rounded(lag)
				known = append(known, *z.LagS)
			}
		}
		s.Zooids = append(s.Zooids, z)
	}
	slices.SortFunc(s.Zooids, compare)
	s.Bus.LagS = median(known)
	clear(v.zooids)
	v.lags = lags
	return s
}

func busOf(m telegraf.Metric) Bus {
	endpoint, _ := m.GetTag("endpoint")
	b := Bus{
		Endpoint:    endpoint,
		Observable:  boolean(m, "observable"),
		Connected:   boolean(m, "connected"),
		Probing:     boolean(m, "probing"),
		ObservedS:   *rounded(float(m, "observed_s", 0)),
		BlindS:      *rounded(float(m, "blind_s", 0)),
		Messages:    integer(m, "messages"),
		Heartbeats:  integer(m, "heartbeats"),
		Duplicates:  integer(m, "duplicates"),
		Disconnects: integer(m, "disconnects"),
	}
	for _, field := range m.FieldList() {
		if strings.HasPrefix(field.Key, "rejected_") {
			b.Rejected += integer(m, field.Key)
		}
	}
	if rtt := float(m, "probe_rtt_s", -1); rtt >= 0 {
		b.ProbeRTTS = rounded(rtt)
	}
	return b
}

func (v *view) zooidOf(m telegraf.Metric) Zooid {
	name, _ := v.name(m)
	niche, _ := m.GetTag("niche")
	state, _ := m.GetField("state")
	z := Zooid{
		Name:         name,
		Niche:        niche,
		Up:           integer(m, "up") == 1,
		SilenceS:     *rounded(float(m, "silence_s", 0)),
		ThresholdS:   *rounded(float(m, "threshold_s", 0)),
		Beats:        integer(m, "beats"),
		Gaps:         integer(m, "gaps"),
		Availability: *rounded(float(m, "availability", 0)),
	}
	z.State, _ = state.(string)
	if mean := float(m, "interval_s", 0); mean > 0 {
		z.IntervalS, z.IntervalStddev = rounded(mean), rounded(float(m, "interval_stddev_s", 0))
	}
	return z
}

// isOwn reports whether a metric is of the bus to show.
func (v *view) isOwn(m telegraf.Metric) bool {
	for _, name := range v.busNames {
		if value, _ := m.GetTag(name); value != v.own[name] {
			return false
		}
	}
	return true
}

// name joins the tags that identify a component; false if one is missing.
func (v *view) name(m telegraf.Metric) (string, bool) {
	values := make([]string, len(v.identity))
	for i, tag := range v.identity {
		var ok bool
		if values[i], ok = m.GetTag(tag); !ok {
			return "", false
		}
	}
	return strings.Join(values, "/"), true
}

func boolean(m telegraf.Metric, field string) bool {
	value, _ := m.GetField(field)
	b, _ := value.(bool)
	return b
}

func integer(m telegraf.Metric, field string) int64 {
	switch value, _ := m.GetField(field); n := value.(type) {
	case int64:
		return n
	case uint64:
		return int64(min(n, math.MaxInt64))
	}
	return 0
}

// float returns a field; if there is none with a finite value, it returns missing.
func float(m telegraf.Metric, field string, missing float64) float64 {
	value, _ := m.GetField(field)
	if n, ok := value.(float64); ok && !math.IsNaN(n) && !math.IsInf(n, 0) {
		return n
	}
	return missing
}

// rounded rounds to microseconds.
func rounded(seconds float64) *float64 {
	r := math.Round(seconds*1e6) / 1e6
	if math.IsInf(r, 0) {
		r = seconds
	}
	return &r
}
