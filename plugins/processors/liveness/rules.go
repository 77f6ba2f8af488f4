package liveness

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// defaultSeverity is the severity of the gaps that no override speaks of.
const defaultSeverity = "critical"

// Override changes what applies to the components that it matches. All of its conditions must hold; one
// that is left out always does.
type Override struct {
	Zooid     []string         `toml:"zooid"` // globs for the component's name
	Niche     []string         `toml:"niche"` // globs
	Threshold *config.Duration `toml:"threshold"`
	LateAfter *config.Duration `toml:"late_after"`
	Severity  string           `toml:"severity"`
	Actions   []string         `toml:"actions"` // recommended when it is silent
	Unit      string           `toml:"unit"`    // of systemd that runs it
}

// actions are what an operator is recommended to do about a silent component.
func (o *Override) actions() []string {
	switch {
	case len(o.Actions) > 0:
		return o.Actions
	case o.Unit != "":
		return []string{"systemctl status " + o.Unit, "journalctl -u " + o.Unit + " -n 50"}
	}
	return []string{"Check that the process of the component runs", "Look at the last lines of its log"}
}

// ruleSet finds the rule of a component.
type ruleSet struct {
	overrides []compiledOverride
	otherwise rulePair
}

type compiledOverride struct {
	zooid, niche globs // none: any
	rules        rulePair
}

// rulePair is a rule for components that have a name, and for those that do not.
type rulePair struct {
	named, unnamed *detector.Rule
}

// unnamed is how a component is called that was given no name: by its process id, so that after each
// restart there is a new one, and its silence says nothing.
var unnamed = regexp.MustCompile(`^zooid_[0-9]+$`)

// For returns the rule of a component: that of the first override that matches.
func (s ruleSet) For(key, niche string) *detector.Rule {
	name := detector.Name(key)
	rules := s.otherwise
	for _, o := range s.overrides {
		if (o.zooid.filter == nil || o.zooid.Match(name)) && (o.niche.filter == nil || o.niche.Match(niche)) {
			rules = o.rules
			break
		}
	}
	if slices.ContainsFunc(strings.Split(key, detector.KeySeparator), unnamed.MatchString) {
		return rules.unnamed
	}
	return rules.named
}

// ThresholdOf returns the silence after which a component of that name and niche is silent, unless it is adapted. It
// is zero for one that is not judged, and where more than the tag zooid, or another, tells components apart. The
// options must have been checked, by Init.
func (l *Liveness) ThresholdOf(zooid, niche string) time.Duration {
	if !slices.Equal(l.Identity, []string{"zooid"}) || l.ignored.Match(zooid) {
		return 0
	}
	return l.rules.For(zooid, niche).Threshold
}

func (l *Liveness) compileRules() (ruleSet, error) {
	var set ruleSet
	var err error
	set.otherwise, err = l.rulePair(&Override{LateAfter: l.LateAfter})
	if err != nil {
		return set, err
	}
	for i, o := range l.Overrides {
		if len(o.Zooid)+len(o.Niche) == 0 {
			return set, &option.Error{
				Name: "override", Table: "override", Number: i,
				Problem: fmt.Sprintf("number %d matches everything, since it names neither zooid nor niche", i+1),
				Allowed: `give it globs such as zooid = ["audio_*"]; for everybody use the options outside of it`,
			}
		}
		var c compiledOverride
		if c.zooid, err = compileGlobs(o.Zooid); err == nil {
			c.niche, err = compileGlobs(o.Niche)
		}
		if err != nil {
			return set, &option.Error{
				Name: "override", Table: "override", Number: i,
				Problem: fmt.Sprintf("number %d: %v", i+1, err),
				Allowed: `use globs such as ["audio_*"]`,
			}
		}
		if c.rules, err = l.rulePair(o); err != nil {
			var bad *option.Error
			if errors.As(err, &bad) {
				bad.Table, bad.Number = "override", i
			}
			return set, err
		}
		for earlier, e := range l.Overrides[:i] {
			if covers(e.Zooid, o.Zooid) && covers(e.Niche, o.Niche) {
				l.Log.Warnf("Override number %d can never match: number %d comes before it and takes all of it", i+1, earlier+1)
				break
			}
		}
		set.overrides = append(set.overrides, c)
	}
	return set, nil
}

// rulePair makes the rules of an override; what it leaves out is as without it.
func (l *Liveness) rulePair(o *Override) (rulePair, error) {
	threshold := l.Threshold
	if o.Threshold != nil {
		threshold = *o.Threshold
	}
	lateAfter := threshold / 2
	switch {
	case o.LateAfter != nil:
		lateAfter = *o.LateAfter
	case o.Threshold == nil && l.LateAfter != nil:
		lateAfter = *l.LateAfter
	}
	for _, d := range []struct {
		name  string
		value config.Duration
	}{{"threshold", threshold}, {"late_after", lateAfter}} {
		if d.value < config.Duration(time.Millisecond) {
			return rulePair{}, option.TooSmall(d.name, time.Duration(d.value), time.Millisecond)
		}
	}
	if lateAfter > threshold {
		return rulePair{}, &option.Error{
			Name:    "late_after",
			Problem: fmt.Sprintf("%q is above the threshold of %q", time.Duration(lateAfter), time.Duration(threshold)),
			Allowed: "use at most the threshold, or leave it out for half of it",
		}
	}
	longest := threshold
	if l.Adaptive {
		longest = max(longest, l.MaxThreshold)
	}
	for _, d := range []struct {
		name  string
		value config.Duration
	}{{"retire_after", l.RetireAfter}, {"retire_unnamed_after", l.RetireUnnamedAfter}} {
		if d.value <= longest && (l.UnnamedGaps || d.name == "retire_after") {
			return rulePair{}, &option.Error{
				Name:    d.name,
				Problem: fmt.Sprintf("%q is not above the threshold of %q", time.Duration(d.value), time.Duration(longest)),
				Allowed: "use more, or a gap would be closed as soon as it is opened",
			}
		}
	}
	named := &detector.Rule{
		Threshold:   time.Duration(threshold),
		LateAfter:   time.Duration(lateAfter),
		RetireAfter: time.Duration(l.RetireAfter),
		Severity:    defaultSeverity,
		Gaps:        true,
	}
	if o.Threshold != nil {
		named.AdaptUpTo = named.Threshold
	}
	if o.Severity != "" {
		named.Severity = o.Severity
	}
	named.Actions, named.Unit = o.actions(), o.Unit
	unnamed := *named
	unnamed.RetireAfter = time.Duration(l.RetireUnnamedAfter)
	unnamed.Gaps = l.UnnamedGaps
	unnamed.Unnamed = true
	return rulePair{named: named, unnamed: &unnamed}, nil
}
