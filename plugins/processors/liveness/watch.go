package liveness

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/glob"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// watchTag is the tag with the name of the watch on what it emits.
const watchTag = "watch"

// oneGather is how far apart metrics of one component can arrive that an input has gathered at once. They are one beat.
const oneGather = 100 * time.Millisecond

// Watch finds which of the series of any metrics stop. Its components are what the tags of identity name. It has a
// detector of its own, whose clock is the time of arrival.
type Watch struct {
	Name        string          `toml:"name"`
	Measurement []string        `toml:"measurement"`
	Identity    []string        `toml:"identity"`
	Tick        []string        `toml:"tick"`
	MinBeats    int             `toml:"min_beats"`
	MaxAge      config.Duration `toml:"max_age"`
	BlindAfter  config.Duration `toml:"blind_after"`
	RuleOptions
	Overrides []*WatchOverride `toml:"override"`

	hasDefaults bool
	measured    glob.Globs
	ticking     glob.Globs
	ignored     glob.Globs
	rules       ruleSet
	expected    []string // keys

	bus            *bus // what is known of its components
	ticks          tickCheck
	populated      bool // a component is known or expected, or it was logged that there is none
	namelessLogged bool // that a metric lacks a tag of identity
}

// WatchOverride changes what applies to the components that it matches.
type WatchOverride struct {
	Component []string         `toml:"component"` // globs for the component's name
	Threshold *config.Duration `toml:"threshold"`
	LateAfter *config.Duration `toml:"late_after"`
	Severity  string           `toml:"severity"`
	Actions   []string         `toml:"actions"`
	Unit      string           `toml:"unit"`
}

// UnmarshalTOML gives what the table leaves out its default.
func (w *Watch) UnmarshalTOML(decode func(any) error) error {
	if !w.hasDefaults {
		*w = Watch{BlindAfter: config.Duration(30 * time.Second), RuleOptions: defaultRules(), hasDefaults: true}
	}
	type plain Watch // without this method
	return decode((*plain)(w))
}

// compileWatches checks the options of all watches.
func (l *Liveness) compileWatches() error {
	for i, w := range l.Watches {
		err := w.compile(l.Log)
		if err == nil && slices.ContainsFunc(l.Watches[:i], func(o *Watch) bool { return o.Name == w.Name }) {
			err = &option.Error{
				Name:    "name",
				Problem: fmt.Sprintf("%q is the name of another watch, too", w.Name),
				Allowed: "give each watch a name of its own",
			}
		}
		var bad *option.Error
		if errors.As(err, &bad) {
			bad.Within("watch", i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compile checks the options and compiles their globs.
func (w *Watch) compile(log telegraf.Logger) error {
	if err := w.checkNames(); err != nil {
		return err
	}
	if err := w.compileMetrics(); err != nil {
		return err
	}
	if w.MinBeats < 0 {
		return &option.Error{
			Name:    "min_beats",
			Problem: fmt.Sprintf("%d is below 0", w.MinBeats),
			Allowed: "use how many beats of a component must have come before its silence is a gap",
		}
	}
	if w.MaxAge < 0 {
		return &option.Error{
			Name:    "max_age",
			Problem: fmt.Sprintf("%q is below 0", time.Duration(w.MaxAge)),
			Allowed: `use a duration such as "5m"; "0s" takes metrics of any age`,
		}
	}
	if w.BlindAfter < config.Duration(time.Millisecond) {
		return option.TooSmall("blind_after", time.Duration(w.BlindAfter), time.Millisecond)
	}
	err := w.check()
	if err != nil {
		return err
	}
	if w.ignored, err = w.compileIgnore(); err != nil {
		return err
	}
	overrides, err := w.overrides()
	if err != nil {
		return err
	}
	if w.rules, err = w.compileRules(overrides, nil, log); err != nil {
		return err
	}
	return w.compileExpected()
}

func (w *Watch) checkNames() error {
	if w.Name == "" {
		return &option.Error{
			Name:    "name",
			Problem: "is empty",
			Allowed: `give the watch a name, such as "hosts"; it is the tag "watch" of what it finds`,
		}
	}
	if len(w.Identity) == 0 || slices.Contains(w.Identity, "") {
		return &option.Error{
			Name:    "identity",
			Problem: "is empty or names an empty tag",
			Allowed: `name the tags that tell components apart, such as ["host"]`,
		}
	}
	for _, tag := range []string{watchTag, "gap_type"} {
		if slices.Contains(w.Identity, tag) {
			return &option.Error{
				Name:    "identity",
				Problem: fmt.Sprintf("%q is a tag that the watch itself sets", tag),
				Allowed: "rename the tag of the metrics",
			}
		}
	}
	return nil
}

// compileMetrics compiles the globs of the metrics that a watch takes.
func (w *Watch) compileMetrics() error {
	if len(w.Measurement) == 0 {
		return &option.Error{
			Name:    "measurement",
			Problem: "is empty",
			Allowed: `name the metrics of which each component sends some, such as ["cpu"]`,
		}
	}
	if len(w.Tick) == 0 {
		return &option.Error{
			Name:    "tick",
			Problem: "is empty; without it silence of all and a pipeline that stands still look the same",
			Allowed: `name metrics that come the same way, and go on to come if every component is silent, such as ["internal_agent"]`,
		}
	}
	if covers(w.Tick, w.Measurement) {
		return &option.Error{
			Name:    "tick",
			Problem: "covers all of measurement; a metric that is a tick is no sign of life of a component, so there would be none",
			Allowed: `name metrics that go on to come if every component is silent, such as ["internal_agent"]`,
		}
	}
	var err error
	if w.measured, err = glob.Compile(w.Measurement...); err != nil {
		return &option.Error{Name: "measurement", Problem: err.Error(), Allowed: `use globs such as ["cpu", "disk*"]`}
	}
	if w.ticking, err = glob.Compile(w.Tick...); err != nil {
		return &option.Error{Name: "tick", Problem: err.Error(), Allowed: `use globs such as ["internal_agent"]`}
	}
	return nil
}

// compileExpected reads the names of the components that must appear.
func (w *Watch) compileExpected() error {
	w.expected = nil
	for _, name := range w.Expected {
		parts := []string{name}
		if len(w.Identity) > 1 {
			parts = strings.Split(name, "/")
		}
		problem, allowed := "", ""
		switch {
		case slices.Contains(parts, ""):
			problem, allowed = fmt.Sprintf("%q holds an empty name", name), `use names such as ["web1"]`
		case len(parts) != len(w.Identity):
			problem = fmt.Sprintf("%q is no name", name)
			allowed = `use the values of the tags of identity with "/" between, in their order`
		case strings.ContainsAny(name, "*?"):
			problem, allowed = fmt.Sprintf("%q is a glob", name), "name each component that must appear"
		case w.ignored.Match(name):
			problem, allowed = fmt.Sprintf("%q is ignored", name), "leave out of ignore what is expected"
		}
		if problem != "" {
			return &option.Error{Name: "expected", Problem: problem, Allowed: allowed}
		}
		w.expected = append(w.expected, strings.Join(parts, detector.KeySeparator))
	}
	return nil
}

// overrides returns the overrides as those of a bus, whose components are called otherwise.
func (w *Watch) overrides() (overrides []*Override, err error) {
	for i, o := range w.Overrides {
		if len(o.Component) == 0 {
			return nil, &option.Error{
				Name: "override", Table: "override", Number: i,
				Problem: fmt.Sprintf("number %d matches everything, since it names no component", i+1),
				Allowed: `give it globs such as component = ["db*"]; for everybody use the options outside of it`,
			}
		}
		overrides = append(overrides, &Override{
			Zooid: o.Component, Threshold: o.Threshold, LateAfter: o.LateAfter, Severity: o.Severity, Actions: o.Actions, Unit: o.Unit,
		})
	}
	return overrides, nil
}

// reset forgets what is known.
func (w *Watch) reset() {
	c := w.detectorConfig(w.ignored, w.rules)
	c.BlindAfter = time.Duration(w.BlindAfter)
	c.TicksOnly = true
	c.SameWithin = oneGather
	c.Scope = w.Name
	c.MinBeats = int64(w.MinBeats)
	c.Identity = strings.Join(w.Identity, detector.KeySeparator)
	c.Expected = w.expected
	w.bus = &bus{values: []string{w.Name}, watch: w, detector: detector.New(c, w.Name)}
	w.ticks = tickCheck{blindAfter: time.Duration(w.BlindAfter)}
	w.populated = len(w.expected) > 0
}
