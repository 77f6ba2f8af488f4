package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inBatches lets two sensors tick each second for a while. Another Telegraf flushes what the second one says every 10 s, and
// the first one's too if both is true; each gets its turn at a time, after the ticks.
func inBatches(j *Judge, both bool, until time.Duration, each func(at time.Duration, found []Finding)) {
	for at := time.Duration(0); at <= until; at += second {
		flush := at%(10*second) == 0
		for _, sensor := range []string{"s1", "s2"} {
			from := at
			switch batched := both || sensor == "s2"; {
			case batched && !flush:
				continue
			case batched:
				from = max(at-9*second, 0)
			}
			for ; from <= at; from += second {
				each(at, j.Tick(sensor, from))
			}
		}
		each(at, nil)
	}
}

// TestClockOfSensorsInBatches is about the judge's clock: what one sensor observed is not observed again by the other.
func TestClockOfSensorsInBatches(t *testing.T) {
	for _, both := range []bool{false, true} {
		c := config
		c.Expected = []string{"never"}
		j := New(c)
		inBatches(j, both, 100*second, func(at time.Duration, found []Finding) {
			require.LessOrEqual(t, j.Now(), at+4*second)
			for _, f := range found {
				if f.Change == Missed {
					require.Greater(t, at, c.ExpectWithin)
				}
			}
		})
		require.GreaterOrEqual(t, j.Now(), 90*second)
	}
}

// TestRhythmBesideBatches has a component beat every 10 s, as the first of the sensors hears: it is never late.
func TestRhythmBesideBatches(t *testing.T) {
	j := New(config)
	inBatches(j, false, 300*second, func(at time.Duration, found []Finding) {
		for _, f := range found {
			require.Equal(t, Up, f.Status.State, "at %v", at)
		}
		if len(found) == 0 && at%(10*second) == 3*second {
			b := beatOf("a", at)
			b.Sensor = "s1"
			j.Beat(b)
		}
	})
	require.InDelta(t, 10, j.components["a"].Intervals.Mean, 0.5)
}

// TestBatchesGoOnAlone has the sensor that is not in batches die: the other one leads soon.
func TestBatchesGoOnAlone(t *testing.T) {
	j := New(config)
	inBatches(j, false, 100*second, func(time.Duration, []Finding) {})
	for at := 110 * second; at <= 200*second; at += 10 * second {
		for tick := at - 9*second; tick <= at; tick += second {
			j.Tick("s2", tick)
		}
	}
	require.GreaterOrEqual(t, j.Now(), 200*second-mostBehind)
}
