package detector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// Gap is the level of one incident: open, and for how long, or closed.
type Gap struct {
	IncidentID string        `json:"incident"`
	Type       string        `json:"type"`
	Open       bool          `json:"open,omitempty"`
	LastSeen   float64       `json:"last_seen,omitempty"` // epoch seconds of the last beat by the clock of who sent it; 0: never
	Missing    time.Duration `json:"missing,omitempty"`   // observed silence since then
	Threshold  time.Duration `json:"threshold,omitempty"`
	Severity   string        `json:"severity,omitempty"`
	Actions    []string      `json:"actions,omitempty"`     // that are recommended
	Unit       string        `json:"unit,omitempty"`        // of systemd; empty: not known, or there are several
	Reason     string        `json:"reason,omitempty"`      // for a person
	Members    []string      `json:"members"`               // names; of an outage only, and not more than maxMembers of them
	Size       int           `json:"size,omitempty"`        // number of members
	FlapWindow time.Duration `json:"flap_window,omitempty"` // of gaptype.Flapping: it ends after such a time without a silence
	Adopted    bool          `json:"-"`                     // another detector opened it
}

// flaps is what is known of the recent gaps of one component.
type flaps struct {
	times    []time.Duration // of the gaps within the window, or before
	incident string          // open flapping incident
	since    time.Duration   // since when it is stable
}

// openGap opens a gap for a component that has just fallen silent, or has not appeared in time. It returns nil if
// the component has none of its own: it is flapping already, part of an outage, or its silence is no gap.
func (d *Detector) openGap(c *component, kind string) *Gap {
	if !d.isAwaited(c) {
		return nil
	}
	c.gaps++
	flapping := false
	if kind == gaptype.Missing {
		if c.failedAt != c.lastSeen {
			c.failures, c.failedAt = 0, c.lastSeen
		}
		c.failures++
		if c.flaps == nil {
			c.flaps = &flaps{}
		}
		if c.flapping() {
			return nil
		}
		now := d.clock.now
		c.flaps.times = slices.DeleteFunc(c.flaps.times, func(t time.Duration) bool { return now-t >= d.config.FlapWindow })
		c.flaps.times = append(c.flaps.times, now)
		flapping = len(c.flaps.times) >= d.config.FlapCount
	}
	level := d.takeLevel(c)
	switch outage := (level == nil || d.silence(c) < after(c.threshold, d.config.OutageWindow)) && d.isOutage(); {
	case level != nil && level.Type == gaptype.Outage:
		d.joinAdopted(c, level)
		return nil
	case level != nil:
		d.reportEndedOf(c.key, false)
		c.incident = level.IncidentID
		gap := d.gap(c, kind, c.incident, true, d.silence(c))
		gap.Adopted = true
		return gap
	case outage:
		d.joinOutage(c)
		return nil
	}
	if flapping {
		kind = gaptype.Flapping
		c.flaps.times = nil
	}
	d.reportEndedOf(c.key, false)
	id := d.incidentOf(kind, c)
	if flapping {
		c.flaps.incident = id
	} else {
		c.incident = id
	}
	return d.gap(c, kind, id, true, d.silence(c))
}

// closeGap closes the gap of a component that is back, or retired. It returns nil if it has none of its own.
func (d *Detector) closeGap(c *component, missing time.Duration) *Gap {
	id := c.incident
	if id == "" {
		return nil
	}
	c.incident = ""
	if o := d.outageOf(c.key); o != nil {
		delete(o.members, c.key)
		return nil
	}
	return d.gap(c, c.gapType(), id, false, missing)
}

// gapType is the type of a gap of its own.
func (c *component) gapType() string {
	if c.phase == unseen {
		return gaptype.NeverSeen
	}
	return gaptype.Missing
}

// endFlapping closes the flapping incident of a component that has been stable for a whole window. It returns nil if
// there is none.
func (d *Detector) endFlapping(c *component) *Gap {
	if !c.flapping() || !c.alive() || d.clock.now-c.flaps.since <= d.config.FlapWindow {
		return nil
	}
	gap := d.gap(c, gaptype.Flapping, c.flaps.incident, false, d.silence(c))
	c.flaps = nil
	return gap
}

// gap is the level of a component's own incident; missing is how long it has been silent.
func (d *Detector) gap(c *component, kind string, id string, open bool, missing time.Duration) *Gap {
	g := &Gap{
		IncidentID: id,
		Type:       kind,
		Open:       open,
		LastSeen:   c.lastSeen,
		Missing:    missing,
		Threshold:  c.threshold,
		Severity:   c.rule.Severity,
		Actions:    c.rule.Actions,
		Unit:       c.rule.Unit,
	}
	name := Name(c.key)
	switch kind {
	case gaptype.NeverSeen:
		g.Threshold = d.config.ExpectWithin
		g.Reason = fmt.Sprintf("no heartbeat from %q yet, expected within %g s", name, g.Threshold.Seconds())
	case gaptype.Flapping:
		g.FlapWindow = d.config.FlapWindow
		g.Reason = fmt.Sprintf("the heartbeat of %q comes and goes, %d gaps within %g s", name, d.config.FlapCount, d.config.FlapWindow.Seconds())
	default:
		g.Reason = fmt.Sprintf("no heartbeat from %q for %.1f s, threshold %g s", name, missing.Seconds(), c.threshold.Seconds())
	}
	return g
}

// incidentSpace is the namespace of the incident ids (RFC 9562, version 5).
var incidentSpace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("incident.chembus"))

// incidentOf is the id of a failure of a component. A component that is expected on several buses and appears on none of
// them fails once on each.
func (d *Detector) incidentOf(kind string, c *component) string {
	key := c.key
	if kind == gaptype.NeverSeen && d.expected[c.key] {
		key = d.bus + "\x00" + key
	}
	return d.incidentID(kind, key, c.lastSeen, c.failures)
}

// incidentID is the id of a failure of what has a key.
func (d *Detector) incidentID(kind, key string, lastSeen float64, failure uint32) string {
	if d.config.Scope != "" {
		key = d.config.Scope + "\x00" + key
	}
	return incidentID(kind, key, lastSeen, failure)
}

// incidentID depends on nothing but the failure itself, so that a restarted monitor and a second one on another host
// give the same failure the same id. A component that sends the same ts again and again has a number for each of its
// failures: that of those since the ts was another.
func incidentID(kind, key string, lastSeen float64, failure uint32) string {
	name := kind + "\x00" + key
	if kind != gaptype.NeverSeen {
		name += "\x00" + strconv.FormatFloat(lastSeen, 'g', -1, 64)
		if failure > 1 {
			name += "\x00" + strconv.FormatUint(uint64(failure), 10)
		}
	}
	return uuid.NewSHA1(incidentSpace, []byte(name)).String()
}

// KeySeparator is between the parts of a component's identity in its key.
const KeySeparator = "\x1f"

// Name is a key as a person reads it.
func Name(key string) string {
	return strings.ReplaceAll(key, KeySeparator, "/")
}
