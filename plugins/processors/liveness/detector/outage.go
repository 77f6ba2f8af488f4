package detector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// maxMembers is how many members of an outage are named, and maxMembersLength the length of all these names, in
// bytes: a metric for an output plugin has to fit in one line of 64 KiB.
const (
	maxMembers       = 100
	maxMembersLength = 8 << 10
)

// outage is one incident of many components. It opens after OutageCount gaps within OutageWindow, and collects
// members for a window before it is reported. It is named after the member that was silent for longest then.
type outage struct {
	id       string // of the failure with which it opened
	opened   time.Duration
	reported bool
	joinable bool // of another detector, which may still have collected members
	members  map[string]bool

	// Of the component that it is named after.
	key       string
	niche     string
	lastSeen  float64
	since     time.Duration // when its silence began
	threshold time.Duration
	severity  string
}

// isOutage notes a gap and reports whether OutageCount others came within OutageWindow before it.
func (d *Detector) isOutage() bool {
	now := d.clock.now
	d.opened = slices.DeleteFunc(d.opened, func(at time.Duration) bool { return now-at >= d.config.OutageWindow })
	full := len(d.opened) == d.config.OutageCount
	if full {
		d.opened = slices.Delete(d.opened, 0, 1)
	}
	d.opened = append(d.opened, now)
	return full
}

// joinOutage makes a component a member of the outage that collects members, or of a new one.
func (d *Detector) joinOutage(c *component) {
	o := d.collecting()
	if o == nil && len(d.outages) > 0 && d.outages[0].joinable {
		o = d.outages[0]
	}
	if o == nil {
		o = &outage{
			id:      d.incidentID(gaptype.Outage, c.key, c.lastSeen, c.failures),
			opened:  d.clock.now,
			members: make(map[string]bool),
		}
		d.outages = append(d.outages, o)
	}
	o.members[c.key] = true
	c.incident = o.id
}

// collecting returns the outage that is not reported yet, nil if there is none.
func (d *Detector) collecting() *outage {
	if n := len(d.outages); n > 0 && !d.outages[n-1].reported {
		return d.outages[n-1]
	}
	return nil
}

// isCollected reports whether a component is a member of an outage that is not reported yet.
func (d *Detector) isCollected(c *component) bool {
	o := d.collecting()
	return o != nil && o.members[c.key]
}

// outageOf returns the open outage that a component is a member of; nil if it is of none.
func (d *Detector) outageOf(key string) *outage {
	for _, o := range d.outages {
		if o.members[key] {
			return o
		}
	}
	return nil
}

// closeOutages closes the outages that have no member any more.
func (d *Detector) closeOutages() {
	d.outages = slices.DeleteFunc(d.outages, func(o *outage) bool {
		if len(o.members) == 0 && o.reported {
			d.addOutage(o, CameBack, false)
		}
		return len(o.members) == 0
	})
}

// openOutage reports the outage that has collected members for a whole window, if there is one. No member joins after
// that, since consumers act on the first message only. The next outage begins to collect only then, so two are never
// opened in the same window.
func (d *Detector) openOutage() (opened bool) {
	for _, o := range d.outages {
		o.joinable = o.joinable && d.clock.now-o.opened < d.config.OutageWindow
	}
	o := d.collecting()
	if o == nil || d.clock.now-o.opened < d.config.OutageWindow {
		return false
	}
	o.reported = true
	o.nameAfter(d.longestSilent(o.members), d.config)
	d.reportEndedOf(o.key, true)
	d.addOutage(o, WentSilent, true)
	for key := range o.members {
		c := d.components[key]
		d.await(c, d.nextChange(c))
	}
	return true
}

func (o *outage) nameAfter(c *component, config *Config) {
	o.key, o.niche = c.key, c.niche
	o.lastSeen, o.since = c.lastSeen, c.last
	o.threshold, o.severity = c.threshold, c.rule.Severity
	if c.phase == unseen {
		o.threshold = config.ExpectWithin
	}
}

// longestSilent returns the component that has been silent for the longest time.
func (d *Detector) longestSilent(keys map[string]bool) *component {
	return d.components[slices.MinFunc(slices.Collect(maps.Keys(keys)), func(a, b string) int {
		return cmp.Or(cmp.Compare(d.components[a].last, d.components[b].last), cmp.Compare(a, b))
	})]
}

// outageGap is the level of an outage.
func (d *Detector) outageGap(o *outage, open bool) *Gap {
	g := &Gap{
		IncidentID: o.id,
		Type:       gaptype.Outage,
		Open:       open,
		LastSeen:   o.lastSeen,
		Missing:    d.clock.now - o.since,
		Threshold:  o.threshold,
		Severity:   o.severity,
		Actions:    []string{"Check what the components have in common, such as a host or a network", "Look at the last lines of their logs"},
		Size:       len(o.members),
		Members:    []string{},
		Reason: fmt.Sprintf("no heartbeat from %d more components, %q among them, after %d others within %g s",
			len(o.members), Name(o.key), d.config.OutageCount, d.config.OutageWindow.Seconds()),
	}
	if !open {
		g.Reason = fmt.Sprintf("%q and the others that were silent with it are back, or retired", Name(o.key))
	}
	length := 0
	for _, key := range slices.Sorted(maps.Keys(o.members)) {
		name := Name(key)
		if length += len(name); len(g.Members) == maxMembers || length > maxMembersLength {
			break
		}
		g.Members = append(g.Members, name)
	}
	return g
}
