package judge

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// flaps is what is known of the recent gaps of one component.
type flaps struct {
	Times    []time.Duration `json:"times,omitempty"`    // of the gaps within the window, or before
	Incident string          `json:"incident,omitempty"` // open flapping incident
	Since    time.Duration   `json:"since,omitempty"`    // since when it is stable
}

// crowd watches how many gaps open in how short a time.
type crowd struct {
	Openings []time.Duration `json:"openings,omitempty"` // the latest, at most MassCount
	Masses   []*mass         `json:"masses,omitempty"`   // open mass incidents, the latest last; only that may be untold
}

// openGap takes a component that has just fallen silent, or has not appeared in time. It returns the
// gap to tell of, nil if there is none of its own.
func (j *Judge) openGap(c *component, kind GapType) *Gap {
	if !c.rule.Gaps && !j.expected[c.Key] {
		return nil
	}
	c.Gaps++
	flapping := false
	if kind == HeartbeatMissing {
		if c.Flaps == nil {
			c.Flaps = &flaps{}
		}
		if c.flapping() {
			return nil
		}
		now := j.sensors.Now
		c.Flaps.Times = slices.DeleteFunc(c.Flaps.Times, func(t time.Duration) bool { return now-t >= j.config.FlapWindow })
		c.Flaps.Times = append(c.Flaps.Times, now)
		flapping = len(c.Flaps.Times) >= j.config.FlapCount
	}
	if j.crowded() {
		j.joinMass(c)
		return nil
	}
	if flapping {
		kind = HeartbeatFlapping
		c.Flaps.Times = nil
	}
	id := incidentID(kind, c.Key, c.LastSeen)
	if flapping {
		c.Flaps.Incident = id
	} else {
		c.Incident = id
	}
	return j.gap(c, kind, id, true, j.silence(c))
}

// closeGap takes a component that is back after a silence, or forgotten. It returns the gap to tell of,
// nil if there is none of its own.
func (j *Judge) closeGap(c *component, missing time.Duration) *Gap {
	id := c.Incident
	if id == "" {
		return nil
	}
	c.Incident = ""
	for _, m := range j.crowd.Masses {
		if m.ID == id {
			delete(m.Members, c.Key)
			return nil
		}
	}
	return j.gap(c, c.incidentType(), id, false, missing)
}

// incidentType is the type of an incident of its own.
func (c *component) incidentType() GapType {
	if c.Phase == unseen {
		return HeartbeatNeverSeen
	}
	return HeartbeatMissing
}

// crowded notes a gap and reports whether there have been so many of late that it is part of something
// larger.
func (j *Judge) crowded() bool {
	now := j.sensors.Now
	o := slices.DeleteFunc(j.crowd.Openings, func(at time.Duration) bool { return now-at >= j.config.MassWindow })
	full := len(o) == j.config.MassCount
	if full {
		o = slices.Delete(o, 0, 1)
	}
	j.crowd.Openings = append(o, now)
	return full
}

// joinMass makes a component part of the mass incident that is gathering, or of a new one.
func (j *Judge) joinMass(c *component) {
	gathering := j.crowd.gathering()
	if gathering == nil {
		gathering = &mass{
			ID:      incidentID(HeartbeatMassMissing, c.Key, c.LastSeen),
			Opened:  j.sensors.Now,
			Members: make(map[string]bool),
		}
		j.crowd.Masses = append(j.crowd.Masses, gathering)
	}
	gathering.Members[c.Key] = true
	c.Incident = gathering.ID
}

// gathering returns the mass incident that is not told yet, nil if there is none.
func (w *crowd) gathering() *mass {
	if n := len(w.Masses); n > 0 && !w.Masses[n-1].Told {
		return w.Masses[n-1]
	}
	return nil
}

// gathers reports whether a component is part of a mass incident that is not told yet.
func (j *Judge) gathers(c *component) bool {
	m := j.crowd.gathering()
	return m != nil && m.ID == c.Incident
}

// tellMasses tells of mass incidents that have gathered their members for a whole window, and of those that are
// over. Consumers act on what they are told first and never hear of who joins afterwards, so nobody does. Since
// the next one begins to gather only then, there are never two told in the same window.
func (j *Judge) tellMasses() {
	if !j.ticked {
		return // nobody is judged before the first tick
	}
	now := j.sensors.Now
	j.crowd.Masses = slices.DeleteFunc(j.crowd.Masses, func(m *mass) bool {
		switch {
		case len(m.Members) == 0:
			if m.Told {
				j.findMass(m, Recovered, false)
			}
			return true
		case !m.Told && now-m.Opened >= j.config.MassWindow:
			m.Told = true
			j.anchor(m, j.longestSilent(m.Members))
			j.findMass(m, Stopped, true)
		}
		return false
	})
}

// longestSilent returns who of some components has been silent for the longest time.
func (j *Judge) longestSilent(keys map[string]bool) *component {
	return j.components[slices.MinFunc(slices.Collect(maps.Keys(keys)), func(a, b string) int {
		return cmp.Or(cmp.Compare(j.components[a].Last, j.components[b].Last), cmp.Compare(a, b))
	})]
}

// settle ends the flapping of a component that has been stable for a whole window. It returns the gap
// to tell of, nil if there is none.
func (j *Judge) settle(c *component) *Gap {
	if !c.flapping() || !c.alive() || j.sensors.Now-c.Flaps.Since <= j.config.FlapWindow {
		return nil
	}
	gap := j.gap(c, HeartbeatFlapping, c.Flaps.Incident, false, j.silence(c))
	c.Flaps = nil
	return gap
}
