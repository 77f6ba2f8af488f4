package detector

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// verdict is a change of a detector's mind.
type verdict struct {
	at      time.Duration
	suspect bool
}

// quality is the quality of service that a detector gave.
type quality struct {
	detections []time.Duration // T_D of each crash
	missed     int             // crashes that were not detected
	mistakes   int
	mistaken   time.Duration // spent in mistakes
	alive      time.Duration // of all the components together
}

// measure compares verdicts with what happened. A life begins to count when it is first trusted: that it
// takes a beat to be known is no mistake.
func (q *quality) measure(c *colony, verdicts [][]verdict) {
	for who, lives := range c.lives {
		v := verdicts[who]
		for n, life := range lives {
			end := c.until // of what is said about this life
			if n+1 < len(lives) {
				end = lives[n+1].from
			}
			var trusted, suspected time.Duration
			known, suspect := false, false
			for ; len(v) > 0 && v[0].at < end; v = v[1:] {
				switch at := min(v[0].at, life.to); {
				case v[0].suspect:
					if v[0].at < life.to {
						q.mistakes++
					}
					suspect, suspected = true, v[0].at
				case !known:
					known, trusted = true, at
				default:
					suspect = false
					q.mistaken += at - min(suspected, at)
				}
			}
			if !known {
				continue // too short a time to be heard, at the very end
			}
			q.alive += life.to - trusted
			if suspect {
				q.mistaken += max(life.to-suspected, 0)
			}
			if n+1 < len(lives) {
				if !suspect { // until the restart
					q.missed++
					suspected = end
				}
				q.detections = append(q.detections, max(suspected-life.to, 0))
			}
		}
	}
}

// detection returns the mean detection time and its 99th percentile.
func (q *quality) detection() (mean, p99 time.Duration) {
	slices.Sort(q.detections)
	var sum time.Duration
	for _, d := range q.detections {
		sum += d
	}
	n := len(q.detections)
	return sum / time.Duration(n), q.detections[n*99/100]
}

// perYear is how many mistakes a component that lives meets in a year.
func (q *quality) perYear() float64 {
	return q.rate() * year / 3600
}

// add adds the quality of service in another colony.
func (q *quality) add(o *quality) {
	q.detections = append(q.detections, o.detections...)
	q.missed += o.missed
	q.mistakes += o.mistakes
	q.mistaken += o.mistaken
	q.alive += o.alive
}

// rate is λ_M, mistakes for each hour that a component lives.
func (q *quality) rate() float64 {
	return float64(q.mistakes) / q.alive.Hours()
}

// duration is T_M, the mean of a mistake.
func (q *quality) duration() time.Duration {
	return q.mistaken / time.Duration(max(q.mistakes, 1))
}

// accuracy is P_A, the probability that a component that lives is trusted.
func (q *quality) accuracy() float64 {
	return 1 - q.mistaken.Seconds()/q.alive.Seconds()
}

func (q *quality) write(w io.Writer, trace, detector string) {
	mean, p99 := q.detection()
	fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.5f\t%.1f\t%.7f\t%d\t%d\t\n", trace, detector,
		mean.Seconds(), p99.Seconds(), q.rate(), q.duration().Seconds(), q.accuracy(), q.mistakes, len(q.detections))
}
