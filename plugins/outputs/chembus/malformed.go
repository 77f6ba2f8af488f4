package chembus

import (
	"time"

	"github.com/influxdata/telegraf"
)

// malformedLogInterval is the shortest time between two log lines about metrics that are no gaps.
const malformedLogInterval = time.Minute

// malformedLog says, at most once a minute, that metrics came which cannot be published.
type malformedLog struct {
	log    telegraf.Logger
	logged time.Time
	count  int
}

// Add takes a metric that is no gap.
func (l *malformedLog) Add(name, problem string, now time.Time) {
	l.count++
	if !l.logged.IsZero() && now.Sub(l.logged) < malformedLogInterval {
		return
	}
	l.log.Warnf("%d metrics are no gaps and were not published; the last, %q, %s. "+
		"Let only liveness_gap come here with namepass", l.count, name, problem)
	l.logged, l.count = now, 0
}
