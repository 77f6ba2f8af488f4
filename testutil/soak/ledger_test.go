package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const second = time.Second

// newLedger returns a ledger with a threshold of 4 s, a beat every second, and two consumers that are always connected.
func newLedger(deaths ...death) *ledger {
	always := spans{{0, time.Hour}}
	return &ledger{
		monitors:  1,
		threshold: 4 * second,
		interval:  second,
		deaths:    deaths,
		consumers: []record{{name: "anna", connected: always}, {name: "bert", connected: always}},
	}
}

// died returns a death of z between two times; its last beat was half a second before.
func died(from, until time.Duration) death {
	return death{zooid: "z", lastBeat: from - second/2, killed: from, revived: until}
}

// handle lets consumers handle an incident of z.
func (l *ledger) handle(incident string, at time.Duration, consumers ...int) *ledger {
	for _, c := range consumers {
		l.consumers[c].handled = append(l.consumers[c].handled,
			handling{zooid: "z", kind: "heartbeat_missing", incident: incident, at: at, life: 1})
	}
	return l
}

// verdicts returns the verdicts on gaps without a death, then those of anna and bert on each death.
func verdicts(l *ledger) []verdict {
	var all []verdict
	for _, f := range l.findings() {
		all = append(all, f.verdict)
	}
	return all
}

func TestExpectedGap(t *testing.T) {
	l := newLedger(died(100*second, 120*second))
	require.Equal(t, []verdict{missed, missed}, verdicts(l))

	l.handle("i", 104*second, 0)
	require.Equal(t, []verdict{handled, missed}, verdicts(l))

	l.handle("i", 104*second, 1)
	require.Equal(t, []verdict{handled, handled}, verdicts(l))
	f := l.findings()[0]
	require.Equal(t, second/2, f.delay)
	require.True(t, f.undisturbed)
}

func TestShortDeath(t *testing.T) {
	l := newLedger(died(100*second, 102*second))
	require.Equal(t, []verdict{nothing, nothing}, verdicts(l))
	l.handle("i", 104*second, 0)
	require.Equal(t, []verdict{falseAlarm, nothing}, verdicts(l))
}

func TestFalseAlarms(t *testing.T) {
	for name, l := range map[string]*ledger{
		"no death":               newLedger().handle("i", 104*second, 0),
		"death of another":       newLedger(death{zooid: "y", lastBeat: 100 * second, killed: 100 * second, revived: 101 * second}).handle("i", 104*second, 0),
		"before the death":       newLedger(died(105*second, 106*second)).handle("i", 104*second, 0),
		"before the deadline":    newLedger(died(100*second, 120*second)).handle("i", 103*second, 0, 1),
		"long after the revival": newLedger(died(100*second, 120*second)).handle("i", 129*second, 0, 1),
		"of an unexpected type":  {consumers: []record{{handled: []handling{{zooid: "z", kind: "heartbeat_flapping"}}}}},
	} {
		require.Equal(t, falseAlarm, verdicts(l)[0], name)
	}
}

func TestDoubled(t *testing.T) {
	for name, l := range map[string]*ledger{
		"after the dedup window":       newLedger(died(100*second, 300*second)).handle("i", 104*second, 0, 1).handle("i", 170*second, 0),
		"under another id":             newLedger(died(100*second, 300*second)).handle("i", 104*second, 0, 1).handle("j", 105*second, 0),
		"the old id, in the new death": newLedger(died(100*second, 120*second), died(200*second, 201*second)).handle("i", 104*second, 0, 1).handle("i", 205*second, 0),
	} {
		require.Equal(t, doubled, verdicts(l)[0], name)
		require.Equal(t, handled, verdicts(l)[1], name)
	}
}

func TestEachDeathIsAnIncident(t *testing.T) {
	l := newLedger(died(100*second, 120*second), died(130*second, 150*second)).handle("i", 104*second, 0, 1)
	require.Equal(t, []verdict{handled, handled, missed, missed}, verdicts(l))
	l.handle("j", 134*second, 0, 1)
	require.Equal(t, []verdict{handled, handled, handled, handled}, verdicts(l))
}

func TestNearThreshold(t *testing.T) {
	for name, l := range map[string]*ledger{
		"by itself":                    newLedger(died(100*second, 105*second)),
		"because the bus was down":     disturbed(newLedger(died(100*second, 109*second)), disturbance{span: span{102 * second, 103 * second}, recovery: restarted}),
		"because of a restart":         disturbed(newLedger(died(100*second, 112*second)), disturbance{span: span{109 * second, 110 * second}, unsaved: 10 * second}),
		"because the revival was lost": disturbed(newLedger(died(100*second, 102*second)), disturbance{span: span{101 * second, 104 * second}, recovery: resumed, loses: true}),
	} {
		require.Equal(t, []verdict{nearThreshold, nearThreshold}, verdicts(l), name)
		l.handle("i", 106*second, 0, 1)
		require.Equal(t, []verdict{nearThreshold, nearThreshold}, verdicts(l), "%s: also if it is handled", name)
	}
}

func disturbed(l *ledger, d disturbance) *ledger {
	l.disturbances = append(l.disturbances, d)
	return l
}

// TestBlindTime requires that time that was not observed is not counted as silence, and moves the deadline.
func TestBlindTime(t *testing.T) {
	blind := disturbance{span: span{101 * second, 111 * second}, recovery: restarted, blindUntil: 111 * second}
	short := disturbed(newLedger(died(100*second, 112*second)), blind)
	require.Equal(t, nothing, verdicts(short)[0])
	lossy := blind
	lossy.loses = true
	short = disturbed(newLedger(died(100*second, 112*second)), lossy)
	require.Equal(t, nearThreshold, verdicts(short)[0], "the time of the first beat received is unknown")

	long := disturbed(newLedger(died(100*second, 140*second)), blind).handle("i", 113*second, 0, 1)
	require.Equal(t, falseAlarm, verdicts(long)[0], "before the deadline")

	long = disturbed(newLedger(died(100*second, 140*second)), blind).handle("i", 114*second, 0, 1)
	require.Equal(t, handled, verdicts(long)[0])
	require.Equal(t, second/2, long.findings()[0].delay)
	require.False(t, long.findings()[0].undisturbed)

	before := disturbance{span: span{94 * second, 98 * second}, recovery: resumed * 2, loses: true}
	after := disturbed(newLedger(died(100*second, 140*second)), before).handle("i", 104*second, 0, 1)
	require.Equal(t, second/2, after.findings()[0].delay, "the last beat may have been lost, but that one was sent")
}

// TestNoTimeToDeliver has a fault of the output, which does not affect the observation.
func TestNoTimeToDeliver(t *testing.T) {
	l := disturbed(newLedger(died(100*second, 115*second)), disturbance{span: span{103 * second, 110 * second}, recovery: restarted, deliveryOnly: true})
	require.Equal(t, []verdict{noTimeToDeliver, noTimeToDeliver}, verdicts(l))
	l.deaths[0].revived = 130 * second
	require.Equal(t, []verdict{missed, missed}, verdicts(l))
}

func TestConsumerAway(t *testing.T) {
	l := newLedger(died(100*second, 120*second)).handle("i", 104*second, 0)
	l.consumers[1].connected = spans{{0, 103 * second}, {105 * second, time.Hour}}
	require.Equal(t, []verdict{handled, consumerAway}, verdicts(l))

	l.consumers[1].connected = spans{{0, 102 * second}, {103 * second, time.Hour}}
	require.Equal(t, []verdict{handled, missed}, verdicts(l), "it was connected again in time")

	l = newLedger(died(100*second, 120*second))
	l.consumers[1].connected = spans{{0, 100 * second}, {119500 * time.Millisecond, time.Hour}}
	require.Equal(t, []verdict{missed, consumerAway}, verdicts(l))
}

func TestConsumerRestarted(t *testing.T) {
	l := newLedger(died(100*second, 120*second)).handle("i", 104*second, 0, 1).handle("i", 110*second, 0)
	l.consumers[0].handled[1].life = 2
	require.Equal(t, []verdict{consumerRestarted, handled}, verdicts(l))
	l.consumers[0].handled[1].at = 170 * second
	require.Equal(t, []verdict{doubled, handled}, verdicts(l), "after the dedup window")
}

// TestSeveralMonitors has a bus with two monitors: what one of them could find is expected, and a gap is false only if
// neither could.
func TestSeveralMonitors(t *testing.T) {
	cut := func(monitor int, from, to time.Duration) disturbance {
		return disturbance{monitor: monitor, span: span{from * second, to * second}, recovery: resumed, loses: true, blindUntil: to * second}
	}
	with := func(cuts ...disturbance) *ledger {
		l := newLedger(died(100*second, 120*second))
		l.monitors, l.disturbances = 2, cuts
		return l
	}
	require.Equal(t, []verdict{missed, missed}, verdicts(with(cut(1, 90, 130))), "the other one finds it")
	require.Equal(t, []verdict{missed, missed}, verdicts(with(cut(1, 95, 102), cut(2, 101, 104))), "each has time enough")
	require.Equal(t, []verdict{nearThreshold, nearThreshold}, verdicts(with(cut(1, 90, 130), cut(2, 102, 118))))
	require.Equal(t, []verdict{noTimeToDeliver, noTimeToDeliver}, verdicts(with(cut(1, 90, 130), cut(2, 108, 117))), "found, and then cut off")
	require.Equal(t, []verdict{handled, handled}, verdicts(with(cut(1, 90, 130)).handle("i", 104*second, 0, 1)))
	require.Equal(t, []verdict{falseAlarm, falseAlarm}, verdicts(with(cut(0, 99, 119)).handle("i", 112*second, 0, 1)), "both were cut off")
	early := with(cut(1, 101, 130), cut(2, 101, 111)).handle("i", 105*second, 0, 1)
	require.Equal(t, []verdict{falseAlarm, falseAlarm}, verdicts(early), "before the deadline of both")
}

func TestCertainlyHeard(t *testing.T) {
	l := disturbed(newLedger(), disturbance{span: span{100 * second, 102 * second}, recovery: resumed})
	require.True(t, l.certainlyHeard(97*second, 99*second))
	require.False(t, l.certainlyHeard(99*second, 103500*time.Millisecond), "a second before the disturbance, half a second after recovery")
	require.True(t, l.certainlyHeard(99*second, 104*second))
	require.False(t, disturbed(newLedger(), disturbance{span: span{100 * second, ongoing}}).certainlyHeard(100*second, 200*second))
}

// TestVerdictsWithoutFaults requires that only silences between the threshold and margin above it are undecidable.
func TestVerdictsWithoutFaults(t *testing.T) {
	for silence := 3400 * time.Millisecond; silence < 20*second; silence += 50 * time.Millisecond {
		d := death{zooid: "z", lastBeat: 100 * second, killed: 100 * second, revived: 100*second + silence}
		for _, f := range newLedger(d).handle("i", 104100*time.Millisecond, 0, 1).findings() {
			within := silence >= 4*second-slack && silence < 4*second+margin
			require.Equal(t, within, f.verdict == nearThreshold, silence)
		}
		for _, f := range newLedger(d).findings() {
			switch {
			case silence < 4*second-slack:
				require.Equal(t, nothing, f.verdict, silence)
			case silence < 4*second+margin:
				require.Equal(t, nearThreshold, f.verdict, silence)
			case silence < 4*second+margin+prompt:
				require.Equal(t, noTimeToDeliver, f.verdict, silence)
			default:
				require.Equal(t, missed, f.verdict, silence)
			}
		}
	}
}
