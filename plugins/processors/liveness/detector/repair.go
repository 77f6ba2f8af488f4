package detector

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// repair makes a snapshot true that contradicts itself, as little of it as can be is dropped, and returns what was wrong.
func (s *Snapshot) repair() (repaired []string) {
	say := func(format string, args ...any) { repaired = append(repaired, fmt.Sprintf(format, args...)) }
	if !possible(s.Clock.Now, s.Clock.Reading) {
		say("the clock showed an impossible time and begins anew; all components are learned again")
		*s = Snapshot{Identity: s.Identity}
	}
	known := make(map[string]int, len(s.Components))
	kept := make([]ComponentSnapshot, 0, len(s.Components))
	for i := range s.Components {
		c := s.Components[i]
		at, twice := known[c.Key]
		p := slices.Index(states[:], c.State)
		switch {
		case c.Key == "":
			say("a component without a name was dropped")
		case p < 0 || phase(p) == retired:
			say("component %q was in the unknown state %q and was dropped", c.Key, c.State)
		case c.Last-time.Hour > s.Clock.Now || !c.Rhythm.sane() || !possible(c.Last, c.Born, c.Since, c.Threshold, c.Uncounted):
			say("component %q had impossible values and was dropped", c.Key)
		case twice:
			say("component %q was there twice; the later one is used", c.Key)
			if kept[at].Last <= c.Last {
				kept[at] = c
			}
		default:
			known[c.Key] = len(kept)
			kept = append(kept, c)
		}
	}
	s.Components = kept
	for i := range kept {
		if c := &kept[i]; c.Incident != "" && c.State != Silent && c.State != Unseen {
			say("component %q was %q and had an open gap, which was dropped", c.Key, c.State)
			c.Incident = ""
		}
	}
	return append(repaired, s.repairOutages(known)...)
}

// repairOutages makes what is saved of outages and of their members agree. Known are the places of the components.
func (s *Snapshot) repairOutages(known map[string]int) (repaired []string) {
	say := func(format string, args ...any) { repaired = append(repaired, fmt.Sprintf(format, args...)) }
	s.Outages = slices.Clone(s.Outages)
	member := make(map[string]bool)
	byID := make(map[string]*OutageSnapshot, len(s.Outages))
	for i := range s.Outages {
		o := &s.Outages[i]
		byID[o.ID] = o
		listed := o.Members
		o.Members = nil
		for _, key := range listed {
			at, exists := known[key]
			if !exists || member[key] || s.Components[at].State != Silent && s.Components[at].State != Unseen || o.ID == "" {
				say("outage %q had %q as a member, which cannot be in it and was dropped from it", o.ID, key)
				continue
			}
			c := &s.Components[at]
			if c.Incident != o.ID {
				say("component %q was a member of the outage %q, and of the incident %q", key, o.ID, c.Incident)
				c.Incident = o.ID
			}
			member[key] = true
			o.Members = append(o.Members, key)
		}
	}
	for i := range s.Components {
		c := &s.Components[i]
		switch o := byID[c.Incident]; {
		case c.Incident == "" || member[c.Key]:
		case o != nil: // a state that was saved bit by bit has no list of members
			o.Members = append(o.Members, c.Key)
		case c.Member:
			// The outage ended, so the component was back. It is judged from now on.
			if c.Stale == 0 {
				say("component %q was a member of the outage %q, which is not open", c.Key, c.Incident)
			}
			c.State, c.Incident, c.Last, c.Since, c.Stale = Up, "", s.Clock.Now, s.Clock.Now, 0
		}
	}
	for i := range s.Outages {
		if o := &s.Outages[i]; o.Reported && o.Key == "" && len(o.Members) > 0 {
			say("outage %q was named after no component", o.ID)
			o.Key = o.Members[0]
		}
	}
	s.Outages = slices.DeleteFunc(s.Outages, func(o OutageSnapshot) bool { return o.ID == "" || o.Reported && o.Key == "" })
	return repaired
}

// possible reports whether times can be those of a clock, so that no sum of them overflows.
func possible(times ...time.Duration) bool {
	return !slices.ContainsFunc(times, func(at time.Duration) bool { return at < -never/4 || at > never/4 })
}

// saneHoles returns the holes that can be some. Those that cannot be are left out without a word: they matter to who was
// not heard since only.
func saneHoles(saved []hole) []hole {
	holes := slices.DeleteFunc(slices.Clone(saved), func(h hole) bool {
		return !possible(h.At, h.Until, h.Dark) || h.Until < h.At || h.Dark < 0 || h.Unknown < 0 || h.Unknown > maxHoles
	})
	slices.SortStableFunc(holes, func(a, b hole) int { return cmp.Compare(a.At, b.At) })
	return holes[max(len(holes)-maxHoles, 0):]
}
