package liveness

import (
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/field"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

const (
	// longestText bounds each text of a metric that is kept, in bytes.
	longestText = 1024
	// mostListed bounds each list of a metric that is kept.
	mostListed = 100
)

// reader turns metrics into what the status takes.
type reader struct {
	bus, identity []string // tags
}

// Read gives the status what a metric says. The problem is empty if it says something, or is none of those that are
// shown.
func (r *reader) Read(m telegraf.Metric, s *status.Status, now time.Time) (problem string) {
	switch m.Name() {
	case "liveness":
		return r.report(m, s, now)
	case livenessgap.Name:
		return r.gap(m, s, now)
	case "chembus_heartbeat":
		if k, ok := r.key(m); ok {
			s.Beat(status.Beat{Key: k, At: m.Time(), Beats: int64(number(m, "beats")), Starts: int64(number(m, "starts"))}, now)
		}
	case "chembus_bus":
		b := status.Bus{Source: r.source(m), At: m.Time(), Unjudged: int64(number(m, "unjudged"))}
		if observable, ok := m.GetField("observable"); ok {
			v, isBool := observable.(bool)
			if !isBool {
				return `has no boolean in field "observable"`
			}
			b.Observable = &v
		}
		suspended, _ := m.GetField("suspended")
		b.Suspended, _ = suspended.(bool)
		s.Bus(b, now)
	case "chembus_output":
		publishing, _ := m.GetField("publishing")
		isPublishing, ok := publishing.(bool)
		if !ok {
			return `has no boolean in field "publishing"`
		}
		s.Output(status.Output{
			Name: r.source(m).Bus, At: m.Time(), Publishing: isPublishing, Pending: int64(number(m, "pending")),
		}, now)
	case "chembus_signal":
		if signal, _ := m.GetTag("signal"); signal == "CAPABILITY_GAP" {
			s.Delivered(text(m, "incident_id"), m.Time(), now)
		}
	}
	return ""
}

func (r *reader) report(m telegraf.Metric, s *status.Status, now time.Time) (problem string) {
	k, ok := r.key(m)
	if !ok {
		return "has no tag that names a component"
	}
	state, ok := status.StateNamed(text(m, "state"))
	if !ok {
		return `has no state that is known in field "state"`
	}
	s.Report(status.Report{
		Key: k, At: m.Time(), Niche: niche(m), State: state, Up: number(m, "up") == 1,
		Silence: number(m, "silence_s"), Threshold: number(m, "threshold_s"), Interval: number(m, "interval_s"),
		Loss: number(m, "loss"), Beats: int64(number(m, "beats")), Gaps: int64(number(m, "gaps")),
	}, now)
	return ""
}

func (r *reader) gap(m telegraf.Metric, s *status.Status, now time.Time) (problem string) {
	k, ok := r.key(m)
	if !ok {
		return "has no tag that names a component"
	}
	l, problem := livenessgap.Read(m)
	if problem != "" {
		return problem
	}
	s.Gap(status.Gap{
		Key: k, At: m.Time(), Incident: shortened(l.Incident), Kind: shortened(l.Kind), Open: l.Open, Niche: shortened(l.Niche),
		Severity: shortened(l.Severity), Reason: shortened(l.Reason), Unit: shortened(l.Unit), Actions: shortList(l.Actions),
		Members: shortList(l.Members), Count: l.Count, Missing: l.Missing, LastSeen: l.LastSeen,
	}, now)
	return ""
}

// source returns what judged a component, or what a metric is about.
func (r *reader) source(m telegraf.Metric) status.Source {
	return status.Source{Bus: shortened(strings.Join(tags(m, r.bus), " "))}
}

// key returns the component of a metric; false if it has none. That of a watch is named by whatever tags there are.
func (r *reader) key(m telegraf.Metric) (status.Key, bool) {
	var k status.Key
	var values []string
	if watch, ok := m.GetTag("watch"); ok {
		k.Watch = shortened(watch)
		for _, tag := range m.TagList() { // in the order of their names
			if !slices.Contains([]string{"watch", "niche", "gap_type"}, tag.Key) {
				values = append(values, tag.Value)
			}
		}
	} else {
		k.Source = r.source(m)
		values = tags(m, r.identity)
	}
	k.Name = shortened(strings.Join(values, "/"))
	return k, k.Name != ""
}

// tags returns the values of those of some tags that a metric has.
func tags(m telegraf.Metric, names []string) []string {
	var values []string
	for _, name := range names {
		if v, ok := m.GetTag(name); ok {
			values = append(values, v)
		}
	}
	return values
}

func niche(m telegraf.Metric) string {
	n, _ := m.GetTag("niche")
	return shortened(n)
}

func text(m telegraf.Metric, name string) string {
	return shortened(field.Text(m, name))
}

// shortList returns the first of some texts, shortened.
func shortList(texts []string) []string {
	texts = texts[:min(len(texts), mostListed)]
	for i := range texts {
		texts[i] = shortened(texts[i])
	}
	return texts
}

// shortened returns at most the first bytes of a text, as valid UTF-8. It does not keep a longer one in memory.
func shortened(s string) string {
	if len(s) > longestText {
		s = s[:longestText]
	}
	return strings.Clone(strings.ToValidUTF8(s, "�"))
}

// number returns the number of a field; 0 if it has none that is finite.
func number(m telegraf.Metric, name string) float64 {
	if n, ok := field.Number(m, name); ok {
		return n
	}
	return 0
}
