package liveness

import (
	"math"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/field"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// read returns what a metric says to a detector; false if it says nothing.
func (l *Liveness) read(m telegraf.Metric) (event, bool) {
	observed, ok := seconds(m, "observed_s")
	if !ok {
		return event{}, false
	}
	e := event{at: m.Time(), killed: -1, resumed: -1}
	e.beat.Run, e.beat.Observed = integer(m, "run"), observed
	switch m.Name() {
	case tickMeasurement:
		e.kind = tick
		e.holes, e.listed = l.readHoles(m, observed)
		if killed, ok := seconds(m, "killed_s"); ok {
			e.killed = killed
		}
		if resumed, ok := seconds(m, "resumed_s"); ok {
			e.resumed = resumed
			e.lasted, _ = seconds(m, "suspended_s")
		}
	case killMeasurement:
		e.kind = kill
	case stopMeasurement:
		e.kind = stop
		return e, l.readKey(m, &e.beat.Key)
	case l.Measurement:
		e.kind = heartbeat
		return e, l.readBeat(m, &e.beat)
	default:
		return event{}, false
	}
	return e, true
}

// readBeat reads a heartbeat; false if it is of no component that is to be judged.
func (l *Liveness) readBeat(m telegraf.Metric, b *detector.Beat) bool {
	if !l.readKey(m, &b.Key) {
		return false
	}
	b.Niche, _ = m.GetTag("niche")
	b.LastSeen = number(m, "sent", float64(m.Time().UnixNano())/1e9)
	b.Beats = count(m, "beats", 1) // a heartbeat that does not say how many it stands for is one
	b.Starts = count(m, "starts", 0)
	return true
}

// readKey reads which component a metric is of; false if that is none that is to be judged.
func (l *Liveness) readKey(m telegraf.Metric, key *string) bool {
	var ok bool
	if *key, ok = keyOf(m, l.Identity); !ok && !l.namelessLogged {
		l.namelessLogged = true
		l.Log.Warnf("A metric %q is not judged, since it lacks a tag that identity = [\"%s\"] names. Name the tags that its input sets",
			m.Name(), strings.Join(l.Identity, `", "`))
	}
	return ok && !l.ignored.Match(detector.Name(*key))
}

// keyOf joins the tags that tell components apart; false if one of them is missing.
func keyOf(m telegraf.Metric, identity []string) (string, bool) {
	if len(identity) == 1 {
		value, _ := m.GetTag(identity[0])
		return storable(value), value != ""
	}
	values := make([]string, len(identity))
	for i, tag := range identity {
		if values[i], _ = m.GetTag(tag); values[i] == "" {
			return "", false
		}
		// The character that is between the values must be in none of them.
		values[i] = strings.ReplaceAll(values[i], detector.KeySeparator, "\uFFFD")
	}
	return storable(strings.Join(values, detector.KeySeparator)), true
}

// storable is a name as the state file gives it back.
func storable(name string) string {
	return strings.ToValidUTF8(name, "\uFFFD")
}

// seconds reads a duration in seconds; false if the metric has none.
func seconds(m telegraf.Metric, field string) (time.Duration, bool) {
	return durationOf(number(m, field, -1))
}

// durationOf is a number of seconds as a duration; false if it can be none.
func durationOf(s float64) (time.Duration, bool) {
	if !(s >= 0 && s <= maxSeconds) {
		return 0, false
	}
	// Rounded down, a beat could be a nanosecond too early, and a silence as long as the threshold longer than that.
	return time.Duration(math.Round(s * float64(time.Second))), true
}

// maxSeconds is well within what a time.Duration can hold.
const maxSeconds = float64(math.MaxInt64/time.Second) / 2

// count reads how many there were of something.
func count(m telegraf.Metric, field string, missing int) int {
	return int(min(max(number(m, field, float64(missing)), 0), math.MaxInt32))
}

// integer reads a whole number; 0 if there is none.
func integer(m telegraf.Metric, field string) int64 {
	v, _ := m.GetField(field)
	switch n := v.(type) {
	case int64:
		return n
	case uint64:
		return int64(n)
	case float64: // JSON has no other numbers
		if n == math.Trunc(n) && math.Abs(n) < math.MaxInt64 {
			return int64(n)
		}
	}
	return 0
}

// number reads a field of any numeric type. It returns missing if there is no such field, or if it is not finite.
func number(m telegraf.Metric, name string, missing float64) float64 {
	if n, ok := field.Number(m, name); ok {
		return n
	}
	return missing
}
