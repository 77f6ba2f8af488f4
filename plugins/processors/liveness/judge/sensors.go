package judge

import (
	"slices"
	"time"
)

const (
	// maxSensors bounds how many sensors are told apart; the one unheard of for longest makes room.
	maxSensors = 64
	// mostBehind is how far behind the leading sensor one may be that is only heard late: in batches, as another
	// Telegraf flushes them.
	mostBehind = 30 * time.Second
)

// sensor is one source of beats and ticks, with a clock of its own.
type sensor struct {
	ID string `json:"id"`
	hearing
	HeardAt time.Duration `json:"heard_at"` // the judge's time when its clock last went on
	Ahead   time.Duration `json:"ahead"`    // its progress beyond that of the leading sensor
	Nearest time.Duration `json:"nearest"`  // the most that Ahead was since the judge's time Since
	Since   time.Duration `json:"since"`

	KilledAt *time.Duration `json:"killed_at,omitempty"` // the judge's time of the last kill signal; nil: there was none

	leaps int  // the latest ticks, so many in a row, before each of which its clock leapt
	leapt bool // since the last tick
}

// sighting is when a sensor had the last proof of a component's life.
type sighting struct {
	Sensor string        `json:"sensor"`
	Last   time.Duration `json:"last"` // by the sensor's clock
	At     time.Duration `json:"at"`   // by the judge's
}

type sightings []*sighting

func (c *component) sightings() sightings {
	if c.Sightings == nil {
		return nil
	}
	return *c.Sightings
}

// sensors keeps the judge's clock, which is that of one of the sensors, the leading one, and of another
// from when the leading one falls behind.
type sensors struct {
	Now  time.Duration `json:"now"`
	Lead string        `json:"lead"`
	All  []*sensor     `json:"all,omitempty"`

	blindAfter time.Duration
}

// Find returns the sensor of that name, nil if it is not known.
func (s *sensors) Find(id string) *sensor {
	for _, known := range s.All {
		if known.ID == id {
			return known
		}
	}
	return nil
}

// Meet adds a sensor.
func (s *sensors) Meet(id string) *sensor {
	met := &sensor{ID: id, hearing: hearing{blindAfter: s.blindAfter}, HeardAt: s.Present()}
	if len(s.All) < maxSensors {
		s.All = append(s.All, met)
		return met
	}
	oldest := 0
	for i, known := range s.All {
		if known.HeardAt < s.All[oldest].HeardAt {
			oldest = i
		}
	}
	s.All[oldest] = met
	return met
}

// Hear takes a sensor's clock. Only a tick that went back says that the sensor began anew.
func (s *sensors) Hear(from *sensor, observed time.Duration, tick bool) {
	before, near := from.Now, -s.blindAfter/3
	// Where it began anew, or some of it was lost, what it observes from now on is of now, and it may lead soon.
	if tick && from.Started && observed < from.Heard {
		from.Restart(observed)
		from.Ahead = max(from.Ahead, near)
	}
	if from.Started && observed-from.Heard > s.blindAfter {
		from.leapt = true
		from.Ahead = max(from.Ahead, near)
	}
	from.Forward(observed)
	step := from.Now - before
	switch {
	case tick && from.leapt:
		from.leaps++
		from.leapt = false
	case tick:
		from.leaps = 0
	}
	from.Ahead += step
	from.Nearest = max(from.Nearest, from.Ahead)
	if s.Now-from.Since > mostBehind {
		// If it was never near it is not heard late, but has observed less: its bus, or its host, stood still, or its
		// clock is slower.
		from.Ahead += max(near-from.Nearest, 0)
		from.Nearest, from.Since = from.Ahead, s.Now
	}
	if lead := s.Find(s.Lead); lead == nil || from.Ahead > s.blindAfter {
		s.Lead = from.ID
	}
	if s.Lead == from.ID {
		gained := max(from.Ahead, 0)
		s.Now += gained
		for _, other := range s.All {
			other.Ahead = max(other.Ahead-gained, -mostBehind)
		}
		from.Ahead = 0
	}
	if step > 0 {
		from.HeardAt = s.Present()
	}
}

// Leaps is how many ticks of a sensor, the latest in a row, had a step longer than BlindAfter before them: while it
// grows with each, only a part of the silence is measured, or none.
func (j *Judge) Leaps(of string) int {
	if s := j.sensors.Find(of); s != nil {
		return s.leaps
	}
	return 0
}

// Present is the time by the sensor that is furthest ahead, which need not lead yet.
func (s *sensors) Present() time.Duration {
	ahead := time.Duration(0)
	for _, known := range s.All {
		ahead = max(ahead, known.Ahead)
	}
	return s.Now + ahead
}

// Mute is for how long a sensor has observed nothing.
func (s *sensors) Mute(which *sensor) time.Duration {
	return s.Now - which.HeardAt
}

// At returns the judge's time of what happened when a sensor's clock showed observed.
func (s *sensors) At(from *sensor, observed time.Duration) time.Duration {
	return s.Present() - (from.Now - from.At(observed))
}

// killedAt is when the last kill signal came on the bus of a component that a sensor heard.
func (j *Judge) killedAt(c *component, by *sensor) time.Duration {
	last := -never
	if by.KilledAt != nil {
		last = *by.KilledAt
	}
	for _, s := range c.sightings() {
		if other := j.sensors.Find(s.Sensor); other != nil && other.KilledAt != nil && c.seenOfLate(s) {
			last = max(last, *other.KilledAt)
		}
	}
	return last
}

// seenOfLate reports whether a sensor heard a component as lately as any other did.
func (c *component) seenOfLate(s *sighting) bool {
	return s.At >= c.Last-c.Threshold
}

// elsewhere reports whether a component is on another bus than a sensor: that did not hear it of late, and one that
// did is heard itself, be it late.
func (j *Judge) elsewhere(c *component, by *sensor) bool {
	heardOfLate := false
	for _, s := range c.sightings() {
		if !c.seenOfLate(s) {
			continue
		}
		if s.Sensor == by.ID {
			return false
		}
		other := j.sensors.Find(s.Sensor)
		heardOfLate = heardOfLate || other != nil && j.sensors.Mute(other) <= max(mostBehind, j.config.BlindAfter)
	}
	return heardOfLate
}

// see notes that a sensor had a proof of life at its own time own. With a single sensor the
// component's Last says the same.
func (j *Judge) see(c *component, by *sensor, own, at time.Duration) {
	if len(j.sensors.All) < 2 {
		return
	}
	for _, s := range c.sightings() {
		if s.Sensor == by.ID {
			s.Last, s.At = max(s.Last, own), max(s.At, at)
			return
		}
	}
	kept := slices.DeleteFunc(c.sightings(), func(s *sighting) bool { return j.sensors.Find(s.Sensor) == nil })
	c.Sightings = new(append(kept, &sighting{Sensor: by.ID, Last: own, At: at}))
}

// attribute gives what was seen so far to the first sensor, now that there is a second.
func (j *Judge) attribute(first *sensor) {
	for _, c := range j.order {
		if c.Phase != unseen {
			j.sensors.attributeTo(first, c)
		}
	}
}

func (s *sensors) attributeTo(first *sensor, c *component) {
	c.Sightings = new(append(c.sightings(), &sighting{Sensor: first.ID, Last: first.Now - (s.Now - c.Last), At: c.Last}))
}

// agreed reports whether all the sensors that can tell say that a component is silent. A sensor can tell
// if it heard the component as lately as any other did and is heard itself. One that is mute is waited for,
// up to a threshold, if it had the last proof of life; else it knew nothing that the others did not know.
func (j *Judge) agreed(c *component) bool {
	if len(c.sightings()) == 0 {
		return true
	}
	told, latest := false, c.Last-c.Threshold
	for _, s := range c.sightings() {
		by := j.sensors.Find(s.Sensor)
		if by == nil || j.sensors.Mute(by) > j.config.BlindAfter || !c.seenOfLate(s) {
			continue
		}
		if by.Now-s.Last <= c.Threshold {
			return false
		}
		told, latest = true, max(latest, s.At)
	}
	return told && !slices.ContainsFunc(c.sightings(), func(s *sighting) bool {
		by := j.sensors.Find(s.Sensor)
		return by != nil && s.At > latest+j.config.BlindAfter && j.sensors.Mute(by) <= c.Threshold
	})
}
