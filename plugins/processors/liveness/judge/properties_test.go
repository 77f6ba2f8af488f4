package judge

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// streams is how many random streams each property is checked with, unless -rapid.checks says otherwise.
const streams = "10000"

// seed makes every run check the same streams, unless -rapid.seed says otherwise (0: others each time).
const seed = "20261123"

// choose sets what was not given on the command line.
var choose = sync.OnceFunc(func() {
	chosen := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { chosen[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": streams, "rapid.seed": seed} {
		if !chosen[name] {
			_ = flag.Set(name, value)
		}
	}
})

func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	t.Parallel()
	choose()
	rapid.Check(t, property)
}

// TestOneSensor compares what the judge says with what is known to be true, after every tick.
func TestOneSensor(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, 1)
		if rapid.IntRange(0, 3).Draw(t, "adaptive") == 0 {
			w.adapt(t)
		}
		truth := newTruth(t, w)
		j := New(w.Config)
		for _, in := range w.inputs {
			if in.restart {
				j = restarted(t, w.Config, j)
			}
			truth.Take(in, in.Tell(j))
		}
	})
}

// TestTwoSensors does the same with two sensors, each of which may be blind or mute, or hear only some.
func TestTwoSensors(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, 2)
		both := newJointTruth(t, w)
		j := New(w.Config)
		for _, in := range w.inputs {
			if in.restart {
				j = restarted(t, w.Config, j)
			}
			both.Take(in, in.Tell(j), j.Now())
		}
	})
}

// TestInPieces saves and loads a judge before some of the ticks: it must find the same as one that is left
// alone.
func TestInPieces(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, rapid.IntRange(1, 2).Draw(t, "sensors"))
		if rapid.Bool().Draw(t, "adaptive") {
			w.adapt(t)
		}
		whole, pieces := New(w.Config), New(w.Config)
		for i, in := range w.inputs {
			if in.restart && in.beat == nil && !in.kill {
				pieces = restarted(t, w.Config, pieces)
			}
			want, got := in.Tell(whole), in.Tell(pieces)
			if len(want)+len(got) > 0 && !reflect.DeepEqual(want, got) {
				t.Fatalf("input %d, %v: in one piece\n%s\nin pieces\n%s", i, in, describe(want), describe(got))
			}
		}
	})
}

func describe(findings []Finding) string {
	text, _ := json.MarshalIndent(findings, "", " ")
	return string(text)
}

// step is the unit of time in a world.
const step = 250 * time.Millisecond

// world is a random configuration, and what a judge gets to hear.
type world struct {
	Config
	rules  map[string]*Rule
	inputs []input
}

// input is one call of the judge.
type input struct {
	restart  bool // of the judge, before it
	sensor   string
	observed time.Duration
	beat     *Beat // if it is one
	kill     bool  // if it is the signal; else it is a tick

	real time.Duration // when it happens
	sent time.Duration // when the beat was sent
}

func (in input) Tell(j *Judge) []Finding {
	switch {
	case in.beat != nil:
		return j.Beat(in.beat)
	case in.kill:
		return j.Kill(in.sensor, in.observed)
	}
	return j.Tick(in.sensor, in.observed)
}

func (in input) String() string {
	switch {
	case in.beat != nil:
		return fmt.Sprintf("beat %+v at %v", *in.beat, in.real)
	case in.kill:
		return fmt.Sprintf("kill, %v at %v", in.observed, in.real)
	}
	return fmt.Sprintf("tick %s, %v at %v", in.sensor, in.observed, in.real)
}

// The names of a world: one is not to open gaps, one never beats.
var names = []string{"a", "b", "c", "d", "e", "quiet", "ghost"}

func drawWorld(t *rapid.T, sensors int) *world {
	steps := func(label string, least, most int) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, label)) * step
	}
	w := &world{rules: make(map[string]*Rule)}
	w.Config = Config{
		BlindAfter:     3 * time.Second,
		ReportInterval: 4 * time.Second,
		ExpectWithin:   steps("expect within", 4, 40),
		MassCount:      rapid.IntRange(1, 4).Draw(t, "mass count"),
		MassWindow:     steps("mass window", 1, 40),
		FlapCount:      rapid.IntRange(2, 4).Draw(t, "flap count"),
		FlapWindow:     steps("flap window", 20, 120),
		Rule:           func(key, _ string) *Rule { return w.rules[key] },
	}
	common := Rule{Threshold: steps("threshold", 5, 24), RetireAfter: 1 << 60, Gaps: true}
	if rapid.Bool().Draw(t, "retire") {
		common.RetireAfter = common.Threshold + steps("retire after", 1, 80)
	}
	common.LateAfter = common.Threshold / 2
	override := common
	override.Threshold = steps("override", 5, 24)
	override.LateAfter = override.Threshold
	override.RetireAfter = max(override.RetireAfter, override.Threshold+step)
	quiet := common
	quiet.Gaps = false
	for _, name := range names {
		w.rules[name] = &common
	}
	w.rules["b"], w.rules["c"], w.rules["quiet"] = &override, &override, &quiet
	switch rapid.IntRange(0, 2).Draw(t, "expected") {
	case 1:
		w.Expected = []string{"a"}
	case 2:
		w.Expected = []string{"a", "b", "ghost"}
	}
	w.drawInputs(t, sensors)
	return w
}

func (w *world) adapt(t *rapid.T) {
	least := time.Duration(rapid.IntRange(1, 20).Draw(t, "min threshold")) * step
	w.Adaptive = &Adaptive{Phi: 2, Min: least, Max: least + time.Duration(rapid.IntRange(0, 40).Draw(t, "max threshold"))*step}
}

// feed is a sensor of a world.
type feed struct {
	name     string
	observed time.Duration
	lives    []moment // what it observed in this life
}

type moment struct{ observed, real time.Duration }

// drawInputs lets time pass in short steps, after which there is a tick, and lets things happen between.
func (w *world) drawInputs(t *rapid.T, sensors int) {
	var feeds []*feed
	for i := range sensors {
		feeds = append(feeds, &feed{name: fmt.Sprint("s", i+1)})
		w.add(input{sensor: feeds[i].name})
	}
	now := time.Duration(0)
	for range rapid.IntRange(10, 50).Draw(t, "length") {
		what := rapid.IntRange(0, 63).Draw(t, "what")
		s := feeds[rapid.IntRange(0, sensors-1).Draw(t, "sensor")]
		amount := rapid.IntRange(0, 11).Draw(t, "amount")
		switch {
		case what == 0: // the sensor restarts
			now += time.Duration(amount) * step
			s.observed, s.lives = 0, nil
			w.add(input{sensor: s.name, real: now})
		case what == 1: // it was blind, or the judge did not hear it
			now += w.BlindAfter + step
			s.observed += w.BlindAfter + step
			w.tick(s, now)
		case what == 2 && sensors == 1:
			w.add(input{sensor: s.name, observed: s.observed, kill: true, real: now})
		case what < 40:
			w.beat(t, s, names[amount%(len(names)-1)], now, sensors == 1)
		case what < 46: // everybody beats, or most
			for i, name := range names[:len(names)-1] {
				if i != amount {
					w.beat(t, s, name, now, false)
				}
			}
		default: // time passes, unless one of several is mute meanwhile
			passed := time.Duration(1+amount) * step
			if sensors == 2 {
				passed = time.Duration(1+amount%4) * step
			}
			now += passed
			for i, s := range feeds {
				s.observed += passed
				if mute := sensors == 2 && 46+4*i <= what && what < 50+4*i; !mute {
					w.tick(s, now)
				}
			}
		}
		if rapid.IntRange(0, 23).Draw(t, "restart") == 0 {
			w.inputs[len(w.inputs)-1].restart = true
		}
	}
}

func (w *world) add(in input) { w.inputs = append(w.inputs, in) }

func (w *world) tick(s *feed, now time.Duration) {
	s.lives = append(s.lives, moment{s.observed, now})
	w.add(input{sensor: s.name, observed: s.observed, real: now})
}

// beat lets the sensor tell of a beat, perhaps of one that was sent some ticks ago.
func (w *world) beat(t *rapid.T, s *feed, name string, now time.Duration, mayBeLate bool) {
	sent := moment{s.observed, now}
	if mayBeLate {
		if late := rapid.IntRange(0, 31).Draw(t, "late"); late < min(len(s.lives), 8) {
			sent = s.lives[len(s.lives)-1-late]
		}
	}
	b := &Beat{Sensor: s.name, Key: name, Observed: sent.observed, LastSeen: 1e9 + sent.real.Seconds(), Beats: 1}
	switch rapid.IntRange(0, 15).Draw(t, "kind") {
	case 0:
		b.Starts = 1
	case 1, 2, 3:
		b.Beats = 8 // merged
	}
	w.add(input{sensor: s.name, observed: sent.observed, beat: b, real: now, sent: sent.real})
}

// plain is a test without the method Helper, which would take a quarter of the time.
type plain struct{ t *rapid.T }

func (p plain) Errorf(format string, args ...any) { p.t.Errorf(format, args...) }
func (p plain) FailNow()                          { p.t.FailNow() }

// told is what somebody knows who hears nothing but the findings.
type told struct {
	t       plain
	w       *world
	own     map[string]*Gap // open incidents of one component
	mass    map[string]*Gap // open mass incidents
	members map[string]string
	waiting map[string]time.Duration // since when somebody may be part of a mass incident that is not told yet
	state   map[string]*Status
	opened  []time.Duration // when incidents were, by the judge's clock
	stopped []time.Duration // when somebody fell silent
	changes []Finding       // of the last call
}

func newTold(t *rapid.T, w *world) *told {
	return &told{
		t: plain{t}, w: w,
		own: make(map[string]*Gap), mass: make(map[string]*Gap), members: make(map[string]string),
		waiting: make(map[string]time.Duration), state: make(map[string]*Status),
	}
}

// Take checks what can be checked of findings alone: an incident is opened once and closed once, there is at
// most one for a component, and not too many are opened in a short time.
func (l *told) Take(findings []Finding, now time.Duration) {
	t := l.t
	l.changes = nil
	for _, f := range findings {
		if f.Status != nil {
			if f.Change != Report {
				l.changes = append(l.changes, f)
			}
			l.state[f.Key] = f.Status
			if f.Change == Forgotten {
				delete(l.state, f.Key)
			}
			if f.Status.Alive || f.Change == Forgotten {
				delete(l.members, f.Key)
				delete(l.waiting, f.Key)
			}
		}
		if f.Status != nil && (f.Change == Stopped || f.Change == Missed) {
			if f.Gap == nil && recent(l.stopped, now, l.w.MassWindow) >= l.w.MassCount {
				l.waiting[f.Key] = now
			}
			l.stopped = append(l.stopped, now)
		}
		g := f.Gap
		if g == nil {
			continue
		}
		open, key := l.own, f.Key
		if g.Type == HeartbeatMassMissing {
			open, key = l.mass, g.IncidentID
		}
		was := open[key]
		switch {
		case !g.Open && was == nil:
			require.Fail(t, "closed what is not open", "%+v", g)
		case !g.Open:
			require.Equal(t, was.IncidentID, g.IncidentID)
			require.Equal(t, was.Type, g.Type)
			delete(open, key)
			continue
		case was == nil:
			require.NotEqual(t, Report, f.Change, "opened by a report")
			l.opened = append(l.opened, now)
		default:
			require.Equal(t, was.IncidentID, g.IncidentID, "two open incidents of %q", key)
			require.Equal(t, was.Type, g.Type)
			require.Equal(t, Report, f.Change, "opened twice")
			require.Subset(t, was.Members, g.Members, "nobody is told of who joins")
		}
		open[key] = g
		if g.Type != HeartbeatMassMissing {
			require.Empty(t, l.members[key], "has an incident and is a member of one")
			continue
		}
		require.Len(t, g.Members, g.Size)
		require.NotEmpty(t, g.Members)
		maps.DeleteFunc(l.members, func(_, id string) bool { return id == g.IncidentID })
		for _, member := range g.Members {
			require.Nil(t, l.own[member], "is a member of an incident and has one")
			require.Empty(t, l.members[member], "is a member of two")
			l.members[member] = g.IncidentID
		}
	}
	require.LessOrEqual(t, recent(l.opened, now, l.w.MassWindow), l.w.MassCount+1, "opened in a window before %v", now)
}

// recent returns how many of the times are within a window before now.
func recent(times []time.Duration, now, window time.Duration) int {
	n := 0
	for _, at := range times {
		if now-at < window {
			n++
		}
	}
	return n
}

// Covered reports whether somebody silent is known to be: by an incident of its own, or as one of many. After many
// others that may take as long as the window.
func (l *told) Covered(name string, now time.Duration) bool {
	since, waits := l.waiting[name]
	return l.own[name] != nil || l.members[name] != "" || waits && now-since < l.w.MassWindow
}

// truth is what is true in a world with one sensor, worked out from what was heard in the plainest way.
type truth struct {
	*told
	zooids   map[string]*zooid
	now      time.Duration // observed time
	heard    time.Duration // the sensor's clock
	started  bool
	past     map[time.Duration]time.Duration // the observed time at times of the sensor's clock
	killedAt time.Duration
	ticked   bool
}

type zooid struct {
	last     time.Duration
	seen     bool
	missed   bool // not seen in time
	silent   bool
	killed   bool
	silences []time.Duration
	back     time.Duration // since the last silence
}

func newTruth(t *rapid.T, w *world) *truth {
	tr := &truth{told: newTold(t, w), zooids: make(map[string]*zooid), past: make(map[time.Duration]time.Duration), killedAt: -1 << 60}
	for _, name := range w.Expected {
		tr.zooids[name] = &zooid{}
	}
	return tr
}

func (tr *truth) Take(in input, findings []Finding) {
	tr.ticked = tr.ticked && !in.restart
	switch {
	case in.kill:
	case tr.started && in.beat == nil && in.observed < tr.heard:
		tr.heard, tr.past = in.observed, make(map[time.Duration]time.Duration)
	case tr.started && in.observed > tr.heard:
		if in.observed-tr.heard <= tr.w.BlindAfter {
			tr.now += in.observed - tr.heard
		}
		tr.heard = in.observed
	case !tr.started:
		tr.started, tr.heard = true, in.observed
	}
	if _, known := tr.past[in.observed]; !known {
		tr.past[in.observed] = tr.now
	}
	tr.told.Take(findings, tr.now)
	switch {
	case in.beat != nil:
		tr.beat(in)
	case in.kill:
		tr.kill(tr.past[in.observed])
	default:
		tr.ticked = true
	}
	tr.judge(in)
}

func (tr *truth) beat(in input) {
	at := tr.past[in.observed]
	z := tr.zooids[in.beat.Key]
	if z == nil || !z.seen {
		if z == nil {
			z = &zooid{}
			tr.zooids[in.beat.Key] = z
		}
		limit := tr.w.rules[in.beat.Key].LateAfter
		if tr.now-at > limit {
			at = tr.now // nobody is condemned by being heard for the first time
		}
		if z.killed = z.killed || at <= tr.killedAt+killGrace; z.killed {
			z.killed = at <= tr.killedAt || at <= tr.killedAt+killGrace && in.beat.Starts == 0
		}
		z.seen, z.last = true, at
		return
	}
	_, most := tr.bounds(in.beat.Key)
	switch {
	case z.silent && tr.now-at > tr.threshold(in.beat.Key, most):
		return
	case z.killed && (at <= tr.killedAt || at <= tr.killedAt+killGrace && in.beat.Starts == 0):
	default:
		if z.silent || z.killed {
			z.back = tr.now
		}
		z.silent, z.killed = false, false
	}
	z.last = max(z.last, at)
}

func (tr *truth) kill(at time.Duration) {
	tr.killedAt = at
	for _, z := range tr.zooids {
		if !z.seen {
			z.killed = z.killed || !z.missed
			continue
		}
		if !z.silent && z.last <= at+killGrace {
			z.killed = true
		}
	}
}

// bounds are between which thresholds a component is judged.
func (tr *truth) bounds(name string) (least, most time.Duration) {
	threshold := tr.w.rules[name].Threshold
	if a := tr.w.Adaptive; a != nil {
		return min(threshold, a.Min), max(threshold, a.Max)
	}
	return threshold, threshold
}

// threshold is the present one, which the judge itself says where it is adaptive.
func (tr *truth) threshold(name string, otherwise time.Duration) time.Duration {
	if s := tr.state[name]; tr.w.Adaptive != nil && s != nil {
		return s.Threshold
	}
	return otherwise
}

func (tr *truth) judge(in input) {
	t := tr.t
	for _, f := range tr.changes {
		z := tr.zooids[f.Key]
		switch f.Change {
		case Stopped:
			least, _ := tr.bounds(f.Key)
			require.Greater(t, tr.now-z.last, least, "%q is silent too early", f.Key)
			require.False(t, z.killed, "%q was killed on purpose", f.Key)
			z.silent = true
			z.silences = append(z.silences, tr.now)
		case Missed:
			require.Greater(t, tr.now, tr.w.ExpectWithin, "%q is missed too early", f.Key)
			require.False(t, z.seen || z.killed)
			z.missed = true
		case Forgotten:
			require.Greater(t, tr.now-z.last, tr.w.rules[f.Key].RetireAfter, "%q is forgotten too early", f.Key)
			require.NotContains(t, tr.w.Expected, f.Key)
			delete(tr.zooids, f.Key)
		}
		if f.Gap == nil {
			continue
		}
		recent := slices.DeleteFunc(slices.Clone(z.silences), func(at time.Duration) bool { return tr.now-at >= tr.w.FlapWindow })
		require.False(t, f.Gap.Open && f.Key == "quiet", "its silence says nothing")
		switch flapping := f.Gap.Type == HeartbeatFlapping; {
		case flapping && f.Gap.Open:
			require.GreaterOrEqual(t, len(recent), tr.w.FlapCount, "%q is not flapping", f.Key)
		case flapping && f.Change != Forgotten:
			require.False(t, z.silent || z.killed)
			require.Greater(t, tr.now-z.back, tr.w.FlapWindow, "%q is not stable", f.Key)
			z.silences = nil
		case f.Gap.Type == HeartbeatMissing && f.Gap.Open:
			require.Less(t, len(recent), tr.w.FlapCount, "%q is flapping", f.Key)
		}
	}
	if in.beat != nil || in.kill || !tr.ticked {
		return
	}
	for name, z := range tr.zooids {
		silence := tr.now - z.last
		_, most := tr.bounds(name)
		switch rule := tr.w.rules[name]; {
		case z.killed:
		case !z.seen:
			require.Equal(t, tr.now > tr.w.ExpectWithin, z.missed, "%q, not seen at %v", name, tr.now)
			require.True(t, tr.Covered(name, tr.now) || !z.missed, "%q is missed, without an incident", name)
		case silence > most:
			require.True(t, z.silent, "%q is silent for %v", name, silence)
			require.True(t, tr.Covered(name, tr.now) || !rule.Gaps, "%q is silent for %v, without an incident", name, silence)
		case tr.w.Adaptive == nil:
			require.False(t, z.silent)
			if g := tr.own[name]; g != nil {
				require.Equal(t, HeartbeatFlapping, g.Type, "%q is back", name)
			}
			require.Empty(t, tr.members[name], "%q is back", name)
		}
		if (z.silent || z.killed) && !slices.Contains(tr.w.Expected, name) {
			require.LessOrEqual(t, silence, tr.w.rules[name].RetireAfter, "%q is not forgotten", name)
		}
		if g := tr.own[name]; g != nil && g.Type == HeartbeatFlapping && !z.silent && !z.killed {
			require.LessOrEqual(t, tr.now-z.back, tr.w.FlapWindow, "%q has been stable since %v", name, z.back)
		}
	}
	for name := range tr.own {
		require.NotNil(t, tr.zooids[name], "an incident of the forgotten %q", name)
	}
}

// jointTruth is what is true in a world with two sensors, as far as it is simple.
type jointTruth struct {
	*told
	sensors map[string]*witness
	zooids  map[string]*sighted
}

// witness is a sensor: its own observed time, and its own view of who was heard when.
type witness struct {
	now, heard time.Duration
	real       time.Duration // when its clock last went on
	last       map[string]time.Duration
	lastReal   map[string]time.Duration
}

type sighted struct {
	silent bool
	real   time.Duration // of the last beat
	now    time.Duration // the same by the judge's clock
}

func newJointTruth(t *rapid.T, w *world) *jointTruth {
	tr := &jointTruth{told: newTold(t, w), sensors: make(map[string]*witness), zooids: make(map[string]*sighted)}
	return tr
}

func (tr *jointTruth) Take(in input, findings []Finding, now time.Duration) {
	t := tr.t
	tr.told.Take(findings, now)
	s := tr.sensors[in.sensor]
	if s == nil {
		s = &witness{heard: in.observed, last: make(map[string]time.Duration), lastReal: make(map[string]time.Duration)}
		tr.sensors[in.sensor] = s
	}
	if step := in.observed - s.heard; step > 0 && step <= tr.w.BlindAfter {
		s.now += step
		s.real = in.real
	}
	s.heard = in.observed
	if in.beat != nil {
		z := tr.zooids[in.beat.Key]
		if z == nil {
			z = &sighted{}
			tr.zooids[in.beat.Key] = z
		}
		s.last[in.beat.Key], s.lastReal[in.beat.Key] = s.now, in.real
		z.silent, z.real, z.now = false, in.real, now
	}
	for _, f := range tr.changes {
		z := tr.zooids[f.Key]
		switch f.Change {
		case Stopped:
			z.silent = true
			threshold := tr.w.rules[f.Key].Threshold
			witnesses := 0
			for name, s := range tr.sensors {
				last, heard := s.last[f.Key]
				const between = time.Second // ticks: so far the clocks are apart
				switch mute := in.real - s.real; {
				case !heard:
				case s.now-last > threshold:
					witnesses++
				case mute <= tr.w.BlindAfter-between:
					require.Greater(t, z.real-s.lastReal[f.Key], threshold-2*between, "%s says that %q lives", name, f.Key)
				}
			}
			require.NotZero(t, witnesses, "nobody can tell that %q is silent", f.Key)
		case Forgotten:
			delete(tr.zooids, f.Key)
			for _, s := range tr.sensors {
				delete(s.last, f.Key)
			}
		}
	}
	if in.beat != nil {
		return
	}
	for name, z := range tr.zooids {
		threshold := tr.w.rules[name].Threshold
		all := now-z.now > threshold+tr.w.BlindAfter // by which who heard it may have been ahead
		for _, s := range tr.sensors {
			last, heard := s.last[name]
			all = all && s.real == in.real && (!heard || s.now-last > threshold)
		}
		if all {
			require.True(t, z.silent, "both say that %q is silent", name)
			require.True(t, tr.Covered(name, now) || name == "quiet", "%q is silent, without an incident", name)
		}
	}
}
