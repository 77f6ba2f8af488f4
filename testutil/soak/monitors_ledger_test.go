package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A failure of z that monitors 0 and 2 find at 100 s under one id, and monitor 1 a second later under another.
var foundByAll = failure{
	component: "z",
	lastSeen:  [monitorsOnBus]time.Duration{70 * second, 60 * second, 70 * second},
	finds:     [monitorsOnBus]time.Duration{100 * second, 101 * second, 100 * second},
	back:      [monitorsOnBus]time.Duration{140 * second, 140 * second, 140 * second},
}

// bookOf returns a ledger with failures of which the monitors were handed all levels as planned.
func bookOf(failures ...failure) *monitorLedger {
	l := &monitorLedger{failures: failures}
	for m := range monitorsOnBus {
		for _, turn := range turns(failures, m) {
			l.levels = append(l.levels, writtenLevel{turn.at, turn.failure, m, turn.event})
		}
	}
	l.sort()
	return l
}

// publish lets a monitor publish the first failure, and the consumer handle it at once.
func (l *monitorLedger) publish(monitor int, at time.Duration) *monitorLedger {
	return l.publishLate(monitor, at, at)
}

// publishLate lets the bus forward it later than it was published.
func (l *monitorLedger) publishLate(monitor int, stamp, at time.Duration) *monitorLedger {
	id := l.failures[0].incidentID(monitor)
	l.forwarded = append(l.forwarded, forwardedGap{at: at, stamp: stamp, monitor: monitor, incident: id})
	l.handled = append(l.handled, handledGap{at: at, incident: id})
	return l
}

func (l *monitorLedger) with(kind faultKind, monitor int, from, to time.Duration) *monitorLedger {
	l.faults = append(l.faults, doneFault{monitorFault{kind: kind, monitor: monitor}, span{from, to}})
	return l
}

func outcomes(l *monitorLedger) []outcome {
	var all []outcome
	for _, f := range l.findings() {
		all = append(all, f.outcome)
	}
	return all
}

func TestFailureIsHandledOnce(t *testing.T) {
	l := bookOf(foundByAll)
	require.Equal(t, []outcome{gapMissed}, outcomes(l))
	l.publish(0, 102*second)
	require.Equal(t, []outcome{gapHandled}, outcomes(l))
	f := l.findings()[0]
	require.Equal(t, 2*second, f.delay)
	require.True(t, f.calm)
	l.with(busPaused, 0, 101*second, 102*second)
	require.False(t, l.findings()[0].calm)
	l.publish(1, 103*second)
	require.Equal(t, []outcome{gapDoubled}, outcomes(l), "under another id")
	require.Equal(t, []outcome{gapDoubled}, outcomes(bookOf(foundByAll).publish(0, 102*second).publish(0, 170*second)), "forgotten by the consumer")
}

func TestFailureThatIsNotDue(t *testing.T) {
	brief := foundByAll
	brief.back = [monitorsOnBus]time.Duration{110 * second, 110 * second, 110 * second}
	require.Equal(t, []outcome{gapNotDue}, outcomes(bookOf(brief)))
	require.Equal(t, []outcome{gapHandled}, outcomes(bookOf(brief).publish(0, 102*second)), "it may be handled")

	disturbed := bookOf(foundByAll).with(busPaused, 0, 99*second, 110*second).with(monitorKilled, 1, 128*second, 129*second)
	require.Equal(t, []outcome{gapNotDue}, outcomes(disturbed))
	disturbed.faults = disturbed.faults[:1]
	require.Equal(t, []outcome{gapMissed}, outcomes(disturbed), "from the end of the pause on there was time enough")

	dead := bookOf(foundByAll)
	dead.levels = nil
	require.Equal(t, []outcome{gapNotDue}, outcomes(dead), "no monitor was there to find it")
}

func TestGapWithoutAFailure(t *testing.T) {
	l := bookOf()
	l.handled = []handledGap{{at: 100 * second, incident: "i"}}
	require.Equal(t, []outcome{gapUnknown}, outcomes(l))
}

func TestGapAfterItsEnd(t *testing.T) {
	require.Equal(t, []outcome{gapAfterEnd}, outcomes(bookOf(foundByAll).publish(0, 143*second)))
	require.Equal(t, []outcome{gapHandled}, outcomes(bookOf(foundByAll).publishLate(0, 139*second, 150*second)), "the bus kept it")
	stopped := bookOf(foundByAll).publish(0, 143*second).with(monitorStopped, 0, 139*second, 142*second)
	require.Equal(t, []outcome{gapHandled}, outcomes(stopped), "it had not read that it is over")
}

func TestMonitorThatStandsStill(t *testing.T) {
	type story struct {
		claimed, stopped, published, continued, forwarded, other time.Duration
		monitor                                                  int
	}
	excused := story{
		claimed: 100 * second, published: 100*second + 10*time.Millisecond, stopped: 100*second + 11*time.Millisecond,
		other: 108 * second, continued: 110 * second, forwarded: 110*second + time.Millisecond, monitor: 1,
	}
	ledger := func(s story) *monitorLedger {
		l := bookOf(foundByAll).with(monitorStopped, s.monitor, s.stopped, s.continued)
		l.private = []privateMessage{{at: s.claimed, payload: `{"claims":["` + foundByAll.incidentID(1) + `"]}`}}
		return l.publish(0, s.other).publishLate(1, s.published, s.forwarded)
	}
	require.Equal(t, []outcome{gapUndecidable}, outcomes(ledger(excused)))

	for name, change := range map[string]func(*story){
		"another monitor was stopped":           func(s *story) { s.monitor = 2 },
		"it had decided long before":            func(s *story) { s.published = s.stopped - 200*time.Millisecond },
		"it decided after it had been stopped":  func(s *story) { s.published = s.continued },
		"its claim came back while it stood":    func(s *story) { s.claimed = s.stopped + second },
		"its claim was old":                     func(s *story) { s.claimed = s.published - 2*second },
		"it took its time after the stop":       func(s *story) { s.forwarded = s.continued + second },
		"the message had left before the stop":  func(s *story) { s.forwarded = s.stopped },
		"the other one had published it before": func(s *story) { s.other = s.stopped - second },
	} {
		s := excused
		change(&s)
		require.Equal(t, []outcome{gapDoubled}, outcomes(ledger(s)), name)
	}
	require.Equal(t, []outcome{gapDoubled}, outcomes(ledger(excused).with(busPaused, 0, 99*second, 105*second)), "the bus may have kept it")
	require.Equal(t, []outcome{gapDoubled}, outcomes(ledger(excused).publish(0, 200*second)), "once more, without an excuse")
	bare := ledger(excused)
	bare.private = nil
	require.Equal(t, []outcome{gapDoubled}, outcomes(bare), "there was no claim")
}

func TestConsumerThatLeavesRightAfterAGap(t *testing.T) {
	left := func(from, to time.Duration) *monitorLedger {
		return bookOf(foundByAll).publish(0, 102*second).publish(0, 112*second).with(consumerLate, 0, from, to)
	}
	require.Equal(t, []outcome{gapUndecidable}, outcomes(left(103*second, 110*second)), "delivered, and no monitor could know it")
	require.Equal(t, []outcome{gapDoubled}, outcomes(left(105*second, 110*second)), "a monitor had time to know it")
	require.Equal(t, []outcome{gapDoubled}, outcomes(left(101*second, 101500*time.Millisecond)), "it handled both in one life")
	require.Equal(t, []outcome{gapDoubled}, outcomes(left(103*second, 113*second)), "it was away")
	other := bookOf(foundByAll).publish(0, 102*second).publish(1, 112*second).with(consumerLate, 0, 103*second, 110*second)
	require.Equal(t, []outcome{gapDoubled}, outcomes(other), "under another id")
	require.Equal(t, []outcome{gapNotDue}, outcomes(bookOf(foundByAll).with(consumerLate, 0, 101*second, 125*second)), "it came back too late")
}

func TestExcerptTellsTheStory(t *testing.T) {
	former := foundByAll
	former.lastSeen = [monitorsOnBus]time.Duration{second, second, second}
	former.finds, former.back = [monitorsOnBus]time.Duration{never, 50 * second, never}, [monitorsOnBus]time.Duration{0, 99 * second, 0}
	l := bookOf(foundByAll, former).with(busPaused, 0, 99*second, 105*second).with(busRestarted, 0, 300*second, 301*second)
	l.publishLate(0, 100*second, 105*second).publish(1, 106*second)
	l.private = []privateMessage{{at: 105 * second, topic: "private", payload: `{"claim":{"component":"z"}}`}}
	r := newMonitorReport([]monitorLedger{*l})
	require.False(t, r.good())
	var out strings.Builder
	r.print(&out)
	excerpt, _, _ := strings.Cut(out.String(), "\n\nfaults on")
	var seen []string
	for _, line := range strings.Split(strings.TrimSpace(excerpt), "\n")[1:] {
		seen = append(seen, strings.Join(strings.Fields(line), " "))
	}
	one, other := foundByAll.incidentID(0), foundByAll.incidentID(1)
	require.Equal(t, []string{
		"99.000 bus paused for 0.000 s",
		"99.000 monitor 1: closed, " + former.incidentID(1) + ", another failure of it",
		"100.000 monitor 0: opened, " + one,
		"100.000 monitor 2: opened, " + one,
		"101.000 monitor 1: opened, " + other,
		"105.000 handled under " + one,
		"105.000 bus paused for 0.000 s: over",
		"105.000 on the bus: gap of monitor 0, " + one + ", published at 100.000",
		`105.000 on the bus: private: … {"claim":{"component":"z"}}`,
		"106.000 handled under " + other,
		"106.000 on the bus: gap of monitor 1, " + other + ", published at 106.000",
		"140.000 monitor 0: closed, " + one,
		"140.000 monitor 1: closed, " + other,
		"140.000 monitor 2: closed, " + one,
	}, seen)
	require.Contains(t, out.String(), "doubled                          1")
}
