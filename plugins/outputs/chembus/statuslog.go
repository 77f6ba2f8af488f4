package chembus

import (
	"time"

	"github.com/influxdata/telegraf"
)

// statusInterval is the shortest time between two lines about the counters; it is how often the judge reports.
const statusInterval = 10 * time.Second

// statusLog says how far the gaps have come, when that has changed.
type statusLog struct {
	log telegraf.Logger

	told standing
	at   time.Time
}

// Update takes the present state. It returns when it has to be asked again; zero: when that changes.
func (s *statusLog) Update(c standing, now time.Time) time.Time {
	if c == s.told {
		return time.Time{}
	}
	if due := s.at.Add(statusInterval); !s.at.IsZero() && now.Before(due) {
		return due
	}
	s.told, s.at = c, now
	s.log.Debugf("Incidents published %d, confirmed %d, known already %d, unheard %d, dropped %d, pending %d; messages repeated %d",
		c.Published, c.Confirmed, c.Known, c.Unheard, c.Dropped, c.Pending, c.Repeated)
	return time.Time{}
}
