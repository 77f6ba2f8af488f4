package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

// probesWithin counts the probes of some seconds, in which other messages come at the given distance; 0: none.
func probesWithin(seconds, distance float64, backlog bool) (sent []float64) {
	p := probeSchedule{interval: time.Second, backlog: backlog}
	for ms := 0; ms <= int(seconds*1000); ms += 10 {
		now := float64(ms) / 1000
		if distance > 0 && ms%int(distance*1000) == 0 {
			p.heard = at(now)
		}
		if !at(now).Before(p.Due()) {
			p.Sent(at(now))
			sent = append(sent, now)
		}
	}
	return sent
}

func TestProbesAreAsFewAsDoTheJob(t *testing.T) {
	require.Equal(t, []float64{0, 10, 20, 30}, probesWithin(30, 0.1, false), "for the round trip on a busy bus")
	require.Len(t, probesWithin(30, 0, false), 31, "one a second on a quiet bus")
	require.Len(t, probesWithin(30, 0.1, true), 31, "and while messages wait")
}

// TestProbesLeaveNoLongerWithoutEvidence has messages come at any distance.
func TestProbesLeaveNoLongerWithoutEvidence(t *testing.T) {
	for distance := 0.1; distance < 5; distance += 0.13 {
		p := probeSchedule{interval: time.Second}
		evidence := at(0)
		for ms := range 60_000 {
			now := at(float64(ms) / 1000)
			if ms%int(distance*1000) == 0 {
				p.heard, evidence = now, now
			}
			if !now.Before(p.Due()) {
				p.Sent(now)
				evidence = now
			}
			if now.Sub(evidence) > time.Second { // two million times: a call of require takes ten times as long
				require.Fail(t, "no evidence for longer", "messages %v s apart, after %v ms", distance, ms)
			}
		}
	}
}

func TestProbeGoesOutAsSoonAsMessagesWait(t *testing.T) {
	p := probeSchedule{interval: time.Second}
	p.Sent(at(0))
	p.heard = at(4.9)
	require.True(t, p.Due().After(at(5)))
	p.backlog = true
	require.False(t, p.Due().After(at(5)))
}

func TestProbeThatIsLateKeepsTheRhythm(t *testing.T) {
	p := probeSchedule{interval: time.Second}
	p.Sent(at(0))
	p.Sent(at(1.3))
	require.Equal(t, at(2), p.Due())
	p.Sent(at(7.5))
	require.Equal(t, at(8.5), p.Due(), "but is not made up for")
}

// TestFewProbesOnABusyBus counts what a subscriber to everything hears.
func TestFewProbesOnABusyBus(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs = ""
	c.TickInterval = config.Duration(time.Second)
	acc := start(t, c)
	p := publisher(t, b)
	eventually(t, c, observable(c))
	private := func() uint64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.collector.counts.probes
	}
	before, began := private(), time.Now()
	observed := busReport(t, c)["observed_s"].(float64)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range 50 {
		publish(t, p, "HEARTBEAT", beatNow("audio_io"))
		<-ticker.C
	}
	if took := time.Since(began); took < 8*time.Second {
		require.LessOrEqual(t, private()-before, uint64(1))
	}
	require.Greater(t, busReport(t, c)["observed_s"].(float64), observed+3, "the beats are the evidence")

	quiet := private()
	require.True(t, holds(func() bool { return private() >= quiet+3 }), "a quiet bus has its probes")
	require.Greater(t, len(acc.named("chembus_tick")), 5)
}
