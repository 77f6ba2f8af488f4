package judge

import (
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
	Masses   []*mass         `json:"masses,omitempty"`   // open mass incidents, the latest last
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
	o := j.crowd.Openings
	full := len(o) == j.config.MassCount && now-o[0] < j.config.MassWindow
	if len(o) == j.config.MassCount {
		o = slices.Delete(o, 0, 1)
	}
	j.crowd.Openings = append(o, now)
	return full
}

// joinMass makes a component part of the present mass incident. One that nobody has joined for a whole
// window is of the past.
func (j *Judge) joinMass(c *component) {
	now := j.sensors.Now
	var present *mass
	if n := len(j.crowd.Masses); n > 0 {
		if last := j.crowd.Masses[n-1]; now-last.Joined < j.config.MassWindow {
			present = last
		}
	}
	if present == nil {
		present = &mass{
			ID:     incidentID(HeartbeatMassMissing, c.Key, c.LastSeen),
			Anchor: c.Key, Niche: c.Niche, Host: c.Host,
			LastSeen: c.LastSeen, Since: c.Last, Opened: now,
			Members:   make(map[string]bool),
			Threshold: c.Threshold, Severity: c.rule.Severity,
			untold: true,
		}
		j.crowd.Masses = append(j.crowd.Masses, present)
	}
	present.Joined = now
	present.Members[c.Key] = true
	c.Incident = present.ID
}

// tellMasses tells of mass incidents that are new, and of those that are over. One that was told is not
// over before a whole window has passed, so that there is never a second one in the same.
func (j *Judge) tellMasses() {
	now := j.sensors.Now
	j.crowd.Masses = slices.DeleteFunc(j.crowd.Masses, func(m *mass) bool {
		over := len(m.Members) == 0 && (m.untold || now-m.Opened >= j.config.MassWindow)
		switch {
		case over && !m.untold:
			j.findMass(m, Recovered, false)
		case m.untold && len(m.Members) > 0:
			m.untold = false
			j.findMass(m, Stopped, true)
		}
		return over
	})
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
