package chembus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

const (
	// investigationTopic is the topic on which investigations are asked for. Its consumer does not deduplicate.
	investigationTopic = "Q_CURIOSITY_INVESTIGATE"
	// longestQueue bounds investigate_limit: the consumer's queue holds as many.
	longestQueue = 60
	// limitPeriod is the time that investigate_limit is about.
	limitPeriod = time.Hour
)

// investigations asks for the investigation of what was published. Each is asked for once at most, whatever happens:
//
//   - Only the monitor that has published a gap, and got the ack for it, asks.
//   - The state file has to say that an investigation is begun before it is sent. Whether one that is begun there was
//     sent before the process died nobody knows, so it is not sent again, but counted as lost.
//
// The zero value is switched off. Time is passed in.
type investigations struct {
	plugin     *ChemBus // nil: switched off
	severities []string // of the gaps to investigate

	waiting  []*investigation
	asked    []time.Time // within limitPeriod
	counts   investigationCounts
	lost     []string // incidents, found at the start
	revision uint64   // changes with what is to be saved

	heldBack logging.RateLimit
	waits    logging.Problem // investigations do, for a consumer
}

// investigation is one that is still to be asked for.
type investigation struct {
	Incident string         `json:"incident"`
	Facts    map[string]any `json:"facts"`
	Begun    time.Time      `json:"begun,omitzero"` // since when it is sent as soon as the state file says so; zero: not yet

	recorded bool // in the state file, as begun
}

// savedInvestigations is what of it survives a restart.
type savedInvestigations struct {
	Waiting []investigation `json:"waiting"`
	Asked   []time.Time     `json:"asked"`
}

// investigationCounts are totals, kept across restarts.
type investigationCounts struct {
	Investigated uint64 `json:"investigated"`             // investigations that were asked for
	HeldBack     uint64 `json:"investigations_held_back"` // that were not, for investigate_limit
	Lost         uint64 `json:"investigations_lost"`      // that may not have been, since the process was killed
	Waiting      int    `json:"investigations_waiting"`   // for a consumer
}

// initInvestigations checks the options.
func (c *ChemBus) initInvestigations() error {
	lowest := slices.Index(severities, c.InvestigateSeverity)
	switch {
	case lowest < 0:
		return &option.Error{
			Name: "investigate_severity", Problem: fmt.Sprintf("%q is no severity", c.InvestigateSeverity),
			Allowed: `use "low", "medium", "high" or "critical"`,
		}
	case c.InvestigateLimit < 1 || c.InvestigateLimit > longestQueue:
		return &option.Error{
			Name: "investigate_limit", Problem: fmt.Sprintf("%d is out of range", c.InvestigateLimit),
			Allowed: fmt.Sprintf("use 1 to %d, which is what the consumer's queue holds", longestQueue),
		}
	case c.Investigate:
		i := &c.outbox.investigations
		i.plugin, i.severities = c, severities[lowest:]
		i.waits = logging.Problem{Tolerance: waitTolerance}
	}
	return nil
}

// Acked takes a gap that this monitor has published for sure.
func (i *investigations) Acked(g *gap, now time.Time) {
	if i.plugin == nil || !slices.Contains(i.severities, g.Severity) {
		return
	}
	// A clock that was set back does not end the period.
	i.asked = slices.DeleteFunc(i.asked, func(at time.Time) bool { return now.Sub(at).Abs() >= limitPeriod })
	if limit := i.plugin.InvestigateLimit; len(i.asked)+len(i.waiting) >= limit {
		i.counts.HeldBack++
		if n := i.heldBack.Count(now); n > 0 {
			i.plugin.Log.Warnf("%d gaps are not investigated, the last that of %q: there are more than investigate_limit = %d in an hour. "+
				"Ask for an investigation by hand where one is needed", n, g.component, limit)
		}
		return
	}
	i.waiting = append(i.waiting, &investigation{Incident: g.Incident, Facts: i.plugin.question(g)})
	i.revision++
}

// Counts returns the counters.
func (i *investigations) Counts() investigationCounts {
	counts := i.counts
	counts.Waiting = len(i.waiting)
	return counts
}

// State returns what is to survive a restart; nil: nothing.
func (i *investigations) State() *savedInvestigations {
	if len(i.waiting)+len(i.asked) == 0 {
		return nil
	}
	s := &savedInvestigations{Asked: slices.Clone(i.asked)}
	for _, q := range i.waiting {
		s.Waiting = append(s.Waiting, *q)
	}
	return s
}

// Restore takes the state of a former process.
func (i *investigations) Restore(s *savedInvestigations, counts investigationCounts) {
	i.counts, i.waiting, i.lost = counts, nil, nil // a start that failed may have restored it before
	if s == nil {
		return
	}
	i.asked = s.Asked
	for _, q := range s.Waiting {
		switch {
		case !q.Begun.IsZero():
			i.counts.Lost++
			i.lost = append(i.lost, q.Incident)
			i.asked = append(i.asked, q.Begun)
		case i.plugin != nil:
			i.waiting = append(i.waiting, &q)
		}
	}
}

// logLostInvestigations logs what the former process may not have asked for.
func (c *ChemBus) logLostInvestigations() {
	if lost := c.outbox.investigations.lost; len(lost) > 0 {
		c.Log.Warnf("%d investigations were about to be asked for when the plugin was killed, and are not asked for again, since they may "+
			"have been: look for their incidents in the investigations, and ask by hand for those that are missing: %s",
			len(lost), strings.Join(lost, ", "))
	}
}

// Recorded takes what the state file holds now.
func (i *investigations) Recorded(s *savedInvestigations) {
	if s == nil {
		return
	}
	for _, q := range i.waiting {
		q.recorded = q.recorded || slices.ContainsFunc(s.Waiting, func(saved investigation) bool {
			return !saved.Begun.IsZero() && saved.Incident == q.Incident
		})
	}
}

// Interrupt takes that nothing is sent any more. What was not is not lost.
func (i *investigations) Interrupt() {
	for _, q := range i.waiting {
		q.Begun, q.recorded = time.Time{}, false
		i.revision++
	}
}

// Investigate asks for the investigations that are recorded, if somebody listens to that. An error that bus.Again reports
// says that the bus takes no more at present.
func (p *publisher) Investigate(listened bool, now time.Time) error {
	i, log := &p.plugin.outbox.investigations, p.plugin.Log
	i.waits.Warnf(log, len(i.waiting) > 0 && !listened, now, "No investigation waits any more",
		"%d investigations wait: nobody on the bus at %q subscribes to %q. Start its consumer, or set investigate = false",
		len(i.waiting), p.plugin.endpoint, investigationTopic)
	if !listened {
		return nil
	}
	for _, q := range slices.Clone(i.waiting) {
		if q.Begun.IsZero() {
			q.Begun = now
			i.revision++
		}
		if !q.recorded {
			continue
		}
		if err := p.send(p.plugin.askFor(q, now)); err != nil {
			return err
		}
		i.waiting = slices.DeleteFunc(i.waiting, func(other *investigation) bool { return other == q })
		i.asked = append(i.asked, now)
		i.counts.Investigated++
		i.revision++
		log.Infof("Asked for an investigation: %q, incident %q", q.Facts["question"], q.Incident)
	}
	return nil
}

// askFor returns the message that asks for an investigation.
func (c *ChemBus) askFor(q *investigation, now time.Time) bus.Message {
	id := questionPrefix + q.Incident
	return bus.Message{
		Signal: investigationTopic, Ecosystem: c.Ecosystem, Intensity: bus.Float(c.Intensity), Facts: q.Facts,
		IncidentID: &id, // of its own: consumers that know the gap by its incident must not take it for a copy
		TS:         bus.Float(bus.EpochSeconds(now)),
	}
}
