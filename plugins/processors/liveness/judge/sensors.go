package judge

import "time"

const (
	// maxSensors bounds how many sensors are told apart; the one unheard of for longest makes room.
	maxSensors = 64
	// recheckAfter is how soon a verdict that waits for a mute sensor is tried again.
	recheckAfter = time.Second
)

// sensor is one source of beats and ticks, with a clock of its own.
type sensor struct {
	ID string `json:"id"`
	hearing
	HeardAt time.Duration `json:"heard_at"` // the judge's clock when it was last heard
	Ahead   time.Duration `json:"ahead"`    // its progress since the leading sensor was last heard
}

// sighting is when a sensor had the last proof of a component's life.
type sighting struct {
	Sensor string        `json:"sensor"`
	Last   time.Duration `json:"last"` // by the sensor's clock
	At     time.Duration `json:"at"`   // by the judge's
}

// sensors keeps the judge's clock, which is that of one of the sensors, the leading one, and of another
// from when the leading one is not heard any more.
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
	met := &sensor{ID: id, hearing: hearing{blindAfter: s.blindAfter}, HeardAt: s.Now}
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
	before := from.Now
	if tick && from.Started && observed < from.Heard {
		from.Restart(observed)
	}
	from.Forward(observed)
	step := from.Now - before
	lead := s.Find(s.Lead)
	switch {
	case from == lead:
		s.Now += step
	case lead == nil || from.Ahead+step > s.blindAfter:
		s.Lead = from.ID
	default:
		from.Ahead += step
		from.HeardAt = s.Now
		return
	}
	for _, other := range s.All {
		other.Ahead = 0
	}
	from.HeardAt = s.Now
}

// At returns the judge's time of what happened when a sensor's clock showed observed.
func (s *sensors) At(from *sensor, observed time.Duration) time.Duration {
	return s.Now - (from.Now - from.At(observed))
}

// see notes that a sensor had a proof of life at its own time own. With a single sensor the
// component's Last says the same.
func (j *Judge) see(c *component, by *sensor, own, at time.Duration) {
	if len(j.sensors.All) < 2 {
		return
	}
	for _, s := range c.Sightings {
		if s.Sensor == by.ID {
			s.Last, s.At = max(s.Last, own), max(s.At, at)
			return
		}
	}
	if len(c.Sightings) < maxSensors {
		c.Sightings = append(c.Sightings, &sighting{Sensor: by.ID, Last: own, At: at})
	}
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
	c.Sightings = append(c.Sightings, &sighting{Sensor: first.ID, Last: first.Now - (s.Now - c.Last), At: c.Last})
}

// agreed reports whether all the sensors that can tell say that a component is silent; if not, after
// how long to ask again. A sensor can tell if it heard the component as lately as any other did and is
// being heard itself.
func (j *Judge) agreed(c *component) (bool, time.Duration) {
	if len(c.Sightings) == 0 {
		return true, 0
	}
	told := false
	for _, s := range c.Sightings {
		by := j.sensors.Find(s.Sensor)
		if by == nil || s.At < c.Last-c.Threshold || j.sensors.Now-by.HeardAt > c.Threshold {
			continue
		}
		if rest := c.Threshold - (by.Now - s.Last); rest >= 0 {
			return false, max(rest, 0)
		}
		told = true
	}
	return told, recheckAfter
}
