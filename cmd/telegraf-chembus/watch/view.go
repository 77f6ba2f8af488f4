package watch

import (
	"cmp"
	"maps"
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
	gaps        map[string]Gap     // likewise, by incident
	present     map[string]phase   // of the components in the last snapshot
	lags        map[string]float64 // of the components that the input has received beats of, in seconds; NaN if unknown
}

func newView(measurement string, identity, busNames []string, own map[string]string) *view {
	return &view{
		measurement: measurement,
		identity:    identity,
		busNames:    busNames,
		own:         own,
		zooids:      make(map[string]Zooid),
		gaps:        make(map[string]Gap),
		present:     make(map[string]phase),
		lags:        make(map[string]float64),
	}
}

// phase is the state of a component, and since when it has it.
type phase struct {
	state string
	since time.Time // zero: since before the watch
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
	case "liveness_gap":
		if !v.isOwn(m) {
			return
		}
		if g := v.gapOf(m); boolean(m, "open") {
			v.gaps[g.IncidentID] = g
		} else {
			delete(v.gaps, g.IncidentID)
		}
	case v.measurement:
		if name, ok := v.name(m); ok {
			v.lags[name] = float(m, "lag_s", math.NaN())
		}
	}
}

// Snapshot returns the components and gaps reported since the last snapshot. Before each, the processor must report all
// of them.
func (v *view) Snapshot(now time.Time) Snapshot {
	s := Snapshot{Time: now.UTC().Round(time.Millisecond), Bus: v.bus, Gaps: []Gap{}, Notes: []string{}, Zooids: make([]Zooid, 0, len(v.zooids))}
	lags := make(map[string]float64) // only of components that the processor still knows
	var known []float64
	present := make(map[string]phase, len(v.zooids))
	for name, z := range v.zooids {
		p, seen := v.present[name]
		if p.state != z.State {
			p = phase{state: z.State}
			if seen {
				p.since = now
			}
		}
		present[name] = p
		if z.SinceS == nil && !p.since.IsZero() {
			z.SinceS = rounded(now.Sub(p.since).Seconds())
		}
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
	s.Gaps = slices.AppendSeq(s.Gaps, maps.Values(v.gaps))
	slices.SortFunc(s.Gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(b.MissingS, a.MissingS), cmp.Compare(a.IncidentID, b.IncidentID))
	})
	s.Bus.LagS = median(known)
	clear(v.zooids)
	clear(v.gaps)
	v.lags, v.present = lags, present
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
	z := Zooid{
		Name:         name,
		Niche:        niche,
		Up:           integer(m, "up") == 1,
		SilenceS:     *rounded(float(m, "silence_s", 0)),
		ThresholdS:   *rounded(float(m, "threshold_s", 0)),
		Beats:        integer(m, "beats"),
		Gaps:         integer(m, "gaps"),
		Loss:         *rounded(float(m, "loss", 0)),
		Availability: *rounded(float(m, "availability", 0)),
	}
	z.State = text(m, "state")
	if mean := float(m, "interval_s", 0); mean > 0 {
		z.IntervalS, z.IntervalStddev = rounded(mean), rounded(float(m, "interval_stddev_s", 0))
	}
	switch z.State {
	case "up":
		z.SinceS = rounded(float(m, "alive_s", 0))
	case "silent":
		z.SinceS = rounded(max(z.SilenceS-z.ThresholdS, 0))
	}
	return z
}

func (v *view) gapOf(m telegraf.Metric) Gap {
	name, _ := v.name(m)
	kind, _ := m.GetTag("gap_type")
	return Gap{
		Zooid:      name,
		Type:       kind,
		Severity:   text(m, "severity"),
		MissingS:   *rounded(float(m, "missing_seconds", 0)),
		Reason:     text(m, "reason"),
		IncidentID: text(m, "incident_id"),
	}
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

func text(m telegraf.Metric, field string) string {
	value, _ := m.GetField(field)
	s, _ := value.(string)
	return s
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
