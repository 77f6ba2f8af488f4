package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// batches are two sensors that tick each second. Another Telegraf flushes what the second one says every 10 s, and the first
// one's too if both is true.
type batches struct {
	both bool
	busy bool // so many beat that each tick comes with a beat of the same time
	each func(at time.Duration, found []Finding)
	hear func(sensor string, observed time.Duration) []Finding // instead of a tick, if it is set
}

// run lets time pass from one second to another.
func (b batches) run(j *Judge, from, until time.Duration) {
	for at := from; at <= until; at += second {
		flush := at%(10*second) == 0
		for _, sensor := range []string{"s1", "s2"} {
			observed := at
			switch batched := b.both || sensor == "s2"; {
			case batched && !flush:
				continue
			case batched:
				observed = max(at-9*second, 0)
			}
			for ; observed <= at; observed += second {
				if b.busy {
					x := beatOf("busy on "+sensor, observed)
					x.Sensor = sensor
					b.each(at, j.Beat(x))
				}
				if b.hear != nil {
					b.each(at, b.hear(sensor, observed))
				}
				b.each(at, j.Tick(sensor, observed))
			}
		}
	}
}

// TestClockOfSensorsInBatches is about the judge's clock: what one sensor observed is not observed again by the other.
func TestClockOfSensorsInBatches(t *testing.T) {
	for _, b := range []batches{{}, {both: true}, {busy: true}, {both: true, busy: true}} {
		c := config
		c.Expected = []string{"never"}
		j := New(c)
		b.each = func(at time.Duration, found []Finding) {
			require.LessOrEqual(t, j.Now(), at+4*second)
			for _, f := range found {
				if f.Change == Missed {
					require.Greater(t, at, c.ExpectWithin)
				}
			}
		}
		b.run(j, 0, 300*second)
		require.GreaterOrEqual(t, j.Now(), 290*second)
	}
}

// TestRhythmBesideBatches has a component beat every 10 s, as the first of the sensors hears: it is never late.
func TestRhythmBesideBatches(t *testing.T) {
	j := New(config)
	b := batches{each: func(at time.Duration, found []Finding) {
		for _, f := range found {
			require.Equal(t, Up, f.Status.State, "at %v", at)
		}
	}}
	b.hear = func(sensor string, observed time.Duration) []Finding {
		if sensor != "s1" || observed%(10*second) != 3*second {
			return nil
		}
		a := beatOf("a", observed)
		a.Sensor = sensor
		return j.Beat(a)
	}
	b.run(j, 0, 300*second)
	require.InDelta(t, 10, j.components["a"].Intervals.Mean, 0.5)
}

// TestKillBesideBatches has a component crash on the bus of the sensor in batches, and then a kill signal come on the
// other bus, at any time between two batches.
func TestKillBesideBatches(t *testing.T) {
	for killed := 31 * second; killed < 41*second; killed += second {
		j := New(config)
		found := 0
		b := batches{each: func(_ time.Duration, findings []Finding) {
			for _, f := range findings {
				if f.Key == "crashes" && f.Change == Stopped {
					found++
				}
			}
		}}
		b.hear = func(sensor string, observed time.Duration) []Finding {
			if sensor != "s2" || observed > 30*second || observed%(10*second) != 5*second {
				return nil
			}
			x := beatOf("crashes", observed)
			x.Sensor = sensor
			return j.Beat(x)
		}
		b.run(j, 0, killed)
		j.Kill("s1", killed)
		b.run(j, killed+second, 150*second)
		require.Equal(t, 1, found, "killed at %v", killed)
	}
}

// leaderDies has the leading sensor die, and requires that the clock goes on soon with the other one.
func leaderDies(t *testing.T, j *Judge, observed, step time.Duration) {
	t.Helper()
	require.Equal(t, "s1", j.sensors.Lead)
	before := j.Now()
	for n := 1; j.Now() == before; n++ {
		require.LessOrEqual(t, n, 6)
		observed += step
		j.Tick("s2", observed)
	}
}

// TestLeaderDiesAfterDrift has the other one's clock be slower by 50 millionths, for a week.
func TestLeaderDiesAfterDrift(t *testing.T) {
	j := New(config)
	const step = time.Second - 50*time.Microsecond
	observed := time.Duration(0)
	for at := time.Duration(0); at <= 7*24*time.Hour; at += second {
		j.Tick("s1", at)
		j.Tick("s2", observed)
		observed += step
	}
	leaderDies(t, j, observed, step)
}

// TestLeaderDiesAfterHoles has the other one's bus be away now and then, for half a minute.
func TestLeaderDiesAfterHoles(t *testing.T) {
	j := New(config)
	observed := time.Duration(0)
	for at := time.Duration(0); at <= 300*second; at += second {
		j.Tick("s1", at)
		if at < 240*second && at%(40*second) >= 10*second {
			continue
		}
		j.Tick("s2", observed)
		observed += second
	}
	leaderDies(t, j, observed, second)
}

// TestStandbyTakesOver has the other one start anew after the leading one has died, long after it was heard last.
func TestStandbyTakesOver(t *testing.T) {
	j := New(config)
	j.Tick("s2", 0)
	for at := time.Duration(0); at <= 300*second; at += second {
		j.Tick("s1", at)
		if at <= 10*second {
			j.Tick("s2", at)
		}
	}
	j.Tick("s2", 0)
	leaderDies(t, j, 0, second)
}

// TestBatchesGoOnAlone has the sensor that is not in batches die.
func TestBatchesGoOnAlone(t *testing.T) {
	j := New(config)
	b := batches{each: func(time.Duration, []Finding) {}}
	b.run(j, 0, 100*second)
	before := j.Now()
	for at := 101 * second; at <= 200*second; at += second {
		j.Tick("s2", at)
	}
	require.GreaterOrEqual(t, j.Now(), before+100*second-4*second)
}
