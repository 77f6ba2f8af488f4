package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const second = time.Second

// book returns a ledger with a threshold of 4 s, beats every second, and two consumers who always hear.
func book(deaths ...death) *ledger {
	always := spans{{0, time.Hour}}
	return &ledger{
		threshold: 4 * second,
		interval:  second,
		deaths:    deaths,
		consumers: []listening{{name: "anna", hearing: always}, {name: "bert", hearing: always}},
	}
}

// died is a death of z from a moment until another; its last beat was half a second before.
func died(from, until time.Duration) death {
	return death{zooid: "z", lastBeat: from - second/2, killed: from, revived: until}
}

// tell lets consumers handle an incident of z.
func (l *ledger) tell(incident string, at time.Duration, consumers ...int) *ledger {
	for _, c := range consumers {
		l.consumers[c].handled = append(l.consumers[c].handled,
			handling{zooid: "z", kind: "heartbeat_missing", incident: incident, at: at, life: 1})
	}
	return l
}

// verdicts are those of anna and bert on each death, and before them those on gaps without one.
func verdicts(l *ledger) []verdict {
	var all []verdict
	for _, f := range l.findings() {
		all = append(all, f.verdict)
	}
	return all
}

func TestExpectedGap(t *testing.T) {
	l := book(died(100*second, 120*second))
	require.Equal(t, []verdict{missed, missed}, verdicts(l))

	l.tell("i", 104*second, 0)
	require.Equal(t, []verdict{handled, missed}, verdicts(l))

	l.tell("i", 104*second, 1)
	require.Equal(t, []verdict{handled, handled}, verdicts(l))
	f := l.findings()[0]
	require.Equal(t, second/2, f.delay)
	require.True(t, f.calm)
}

func TestShortDeath(t *testing.T) {
	l := book(died(100*second, 102*second))
	require.Equal(t, []verdict{nothing, nothing}, verdicts(l))
	l.tell("i", 104*second, 0)
	require.Equal(t, []verdict{falseAlarm, nothing}, verdicts(l))
}

func TestFalseAlarms(t *testing.T) {
	for name, l := range map[string]*ledger{
		"nobody died":             book().tell("i", 104*second, 0),
		"somebody else died":      book(death{zooid: "y", lastBeat: 100 * second, killed: 100 * second, revived: 101 * second}).tell("i", 104*second, 0),
		"before the death":        book(died(105*second, 106*second)).tell("i", 104*second, 0),
		"before the deadline":     book(died(100*second, 120*second)).tell("i", 103*second, 0, 1),
		"long after the revival":  book(died(100*second, 120*second)).tell("i", 129*second, 0, 1),
		"of a type that is wrong": {consumers: []listening{{handled: []handling{{zooid: "z", kind: "heartbeat_flapping"}}}}},
	} {
		require.Equal(t, falseAlarm, verdicts(l)[0], name)
	}
}

func TestDoubled(t *testing.T) {
	for name, l := range map[string]*ledger{
		"after the consumer forgot it":  book(died(100*second, 300*second)).tell("i", 104*second, 0, 1).tell("i", 170*second, 0),
		"under another name":            book(died(100*second, 300*second)).tell("i", 104*second, 0, 1).tell("j", 105*second, 0),
		"the old one, in the new death": book(died(100*second, 120*second), died(200*second, 201*second)).tell("i", 104*second, 0, 1).tell("i", 205*second, 0),
	} {
		require.Equal(t, doubled, verdicts(l)[0], name)
		require.Equal(t, handled, verdicts(l)[1], name)
	}
}

func TestEachDeathIsAnIncident(t *testing.T) {
	l := book(died(100*second, 120*second), died(130*second, 150*second)).tell("i", 104*second, 0, 1)
	require.Equal(t, []verdict{handled, handled, missed, missed}, verdicts(l))
	l.tell("j", 134*second, 0, 1)
	require.Equal(t, []verdict{handled, handled, handled, handled}, verdicts(l))
}

func TestNearThreshold(t *testing.T) {
	for name, l := range map[string]*ledger{
		"by itself":                         book(died(100*second, 105*second)),
		"because the bus was away":          withOutage(book(died(100*second, 109*second)), outage{span: span{102 * second, 103 * second}, recovery: restarted}),
		"because the judge forgot":          withOutage(book(died(100*second, 112*second)), outage{span: span{109 * second, 110 * second}, forgets: 10 * second}),
		"because the revival was not heard": withOutage(book(died(100*second, 102*second)), outage{span: span{101 * second, 104 * second}, recovery: resumed, loses: true}),
	} {
		require.Equal(t, []verdict{nearThreshold, nearThreshold}, verdicts(l), name)
		l.tell("i", 106*second, 0, 1)
		require.Equal(t, []verdict{nearThreshold, nearThreshold}, verdicts(l), "%s: handled is as well", name)
	}
}

func withOutage(l *ledger, o outage) *ledger {
	l.outages = append(l.outages, o)
	return l
}

// Time in which nobody could observe anything is no silence, and moves the deadline.
func TestDeafness(t *testing.T) {
	deaf := outage{span: span{101 * second, 111 * second}, recovery: restarted, deafUntil: 111 * second}
	short := withOutage(book(died(100*second, 112*second)), deaf)
	require.Equal(t, nothing, verdicts(short)[0])
	lossy := deaf
	lossy.loses = true
	short = withOutage(book(died(100*second, 112*second)), lossy)
	require.Equal(t, nearThreshold, verdicts(short)[0], "when it was heard again is not known")

	long := withOutage(book(died(100*second, 140*second)), deaf).tell("i", 113*second, 0, 1)
	require.Equal(t, falseAlarm, verdicts(long)[0], "too early")

	long = withOutage(book(died(100*second, 140*second)), deaf).tell("i", 114*second, 0, 1)
	require.Equal(t, handled, verdicts(long)[0])
	require.Equal(t, second/2, long.findings()[0].delay)
	require.False(t, long.findings()[0].calm)
}

// Faults of the output say nothing about silence.
func TestNoTimeToTell(t *testing.T) {
	l := withOutage(book(died(100*second, 115*second)), outage{span: span{103 * second, 110 * second}, recovery: restarted, deliveryOnly: true})
	require.Equal(t, []verdict{noTimeToTell, noTimeToTell}, verdicts(l))
	l.deaths[0].revived = 130 * second
	require.Equal(t, []verdict{missed, missed}, verdicts(l))
}

func TestConsumerAway(t *testing.T) {
	l := book(died(100*second, 120*second)).tell("i", 104*second, 0)
	l.consumers[1].hearing = spans{{0, 103 * second}, {105 * second, time.Hour}}
	require.Equal(t, []verdict{handled, consumerAway}, verdicts(l))

	l.consumers[1].hearing = spans{{0, 102 * second}, {103 * second, time.Hour}}
	require.Equal(t, []verdict{handled, missed}, verdicts(l), "it was back in time")

	l = book(died(100*second, 120*second))
	l.consumers[1].hearing = spans{{0, 100 * second}, {119500 * time.Millisecond, time.Hour}}
	require.Equal(t, []verdict{missed, consumerAway}, verdicts(l))
}

func TestConsumerForgot(t *testing.T) {
	l := book(died(100*second, 120*second)).tell("i", 104*second, 0, 1).tell("i", 110*second, 0)
	l.consumers[0].handled[1].life = 2
	require.Equal(t, []verdict{consumerForgot, handled}, verdicts(l))
	l.consumers[0].handled[1].at = 170 * second
	require.Equal(t, []verdict{doubled, handled}, verdicts(l), "no consumer remembers it for so long")
}

func TestSurelyHeard(t *testing.T) {
	l := withOutage(book(), outage{span: span{100 * second, 102 * second}, recovery: resumed})
	require.True(t, l.surelyHeard(97*second, 99*second))
	require.False(t, l.surelyHeard(99*second, 103500*time.Millisecond), "a second before, half a one after recovery")
	require.True(t, l.surelyHeard(99*second, 104*second))
	require.False(t, withOutage(book(), outage{span: span{100 * second, ongoing}}).surelyHeard(100*second, 200*second))
}

// Without a fault only the silences between the threshold and margin above it are undecidable.
func TestCalmIsDecidable(t *testing.T) {
	for silence := 3400 * time.Millisecond; silence < 20*second; silence += 50 * time.Millisecond {
		d := death{zooid: "z", lastBeat: 100 * second, killed: 100 * second, revived: 100*second + silence}
		for _, f := range book(d).tell("i", 104100*time.Millisecond, 0, 1).findings() {
			within := silence >= 4*second-slack && silence < 4*second+margin
			require.Equal(t, within, f.verdict == nearThreshold, silence)
		}
		for _, f := range book(d).findings() {
			switch {
			case silence < 4*second-slack:
				require.Equal(t, nothing, f.verdict, silence)
			case silence < 4*second+margin:
				require.Equal(t, nearThreshold, f.verdict, silence)
			case silence < 4*second+margin+prompt:
				require.Equal(t, noTimeToTell, f.verdict, silence)
			default:
				require.Equal(t, missed, f.verdict, silence)
			}
		}
	}
}
