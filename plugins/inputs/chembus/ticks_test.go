package chembus

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoEvidenceWithoutATick has evidence come in every rhythm. The first of each interval makes a tick, which is held back
// for little more than an interval.
func TestNoEvidenceWithoutATick(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		interval := time.Duration(10+random.IntN(3000)) * time.Millisecond
		least := time.Duration(random.Int64N(int64(3 * interval)))
		spread := 1 + random.Int64N(int64(interval))
		s := tickSchedule{interval: interval, next: epoch.Add(interval)}
		var open time.Time // since when evidence waits for a tick; zero: none does
		last, evidence := epoch, epoch
		take := func(now time.Time) {
			if s.due {
				s.due, open = false, time.Time{}
			}
			if !open.IsZero() {
				require.LessOrEqual(t, now.Sub(open), interval*5/4, "interval %v, evidence every %v to %v", interval, least, least+time.Duration(spread))
			}
		}
		for n := 1; n <= 50; n++ {
			end := epoch.Add(time.Duration(n) * interval)
			for evidence.Before(end) {
				if open.IsZero() && !evidence.Before(s.next) {
					open = evidence
				}
				s.Evidence(evidence.Sub(last), evidence)
				take(evidence)
				last, evidence = evidence, evidence.Add(least+time.Duration(random.Int64N(spread)))
			}
			s.Release(end)
			take(end)
		}
	}
}
