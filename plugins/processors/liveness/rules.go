package liveness

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/glob"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

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

// ruleSet finds the rule of a component.
type ruleSet struct {
	overrides []compiledOverride
	otherwise rulePair
}

// unnamedRule is what is different for components without a name.
type unnamedRule struct {
	RetireAfter time.Duration
	Gaps        bool
}

type compiledOverride struct {
	zooid, niche glob.Globs // none: any
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
		if (o.zooid.Empty() || o.zooid.Match(name)) && (o.niche.Empty() || o.niche.Match(niche)) {
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

// compileRules makes the rules; all components have a name if unnamed is nil.
func (o *RuleOptions) compileRules(overrides []*Override, unnamed *unnamedRule, log telegraf.Logger) (ruleSet, error) {
	var set ruleSet
	var err error
	set.otherwise, err = o.rulePair(&Override{LateAfter: o.LateAfter}, unnamed)
	if err != nil {
		return set, err
	}
	for i, override := range overrides {
		if len(override.Zooid)+len(override.Niche) == 0 {
			return set, &option.Error{
				Name: "override", Table: "override", Number: i,
				Problem: fmt.Sprintf("number %d matches everything, since it names neither zooid nor niche", i+1),
				Allowed: `give it globs such as zooid = ["audio_*"]; for everybody use the options outside of it`,
			}
		}
		var c compiledOverride
		if c.zooid, err = glob.Compile(override.Zooid...); err == nil {
			c.niche, err = glob.Compile(override.Niche...)
		}
		if err != nil {
			return set, &option.Error{
				Name: "override", Table: "override", Number: i,
				Problem: fmt.Sprintf("number %d: %v", i+1, err),
				Allowed: `use globs such as ["audio_*"]`,
			}
		}
		if c.rules, err = o.rulePair(override, unnamed); err != nil {
			var bad *option.Error
			if errors.As(err, &bad) {
				bad.Table, bad.Number = "override", i
			}
			return set, err
		}
		for earlier, e := range overrides[:i] {
			if covers(e.Zooid, override.Zooid) && covers(e.Niche, override.Niche) {
				log.Warnf("Override number %d can never match: number %d comes before it and takes all of it", i+1, earlier+1)
				break
			}
		}
		set.overrides = append(set.overrides, c)
	}
	return set, nil
}

// rulePair makes the rules of an override; what it leaves out is as without it.
func (o *RuleOptions) rulePair(override *Override, unnamed *unnamedRule) (rulePair, error) {
	threshold := o.Threshold
	if override.Threshold != nil {
		threshold = *override.Threshold
	}
	lateAfter := threshold / 2
	switch {
	case override.LateAfter != nil:
		lateAfter = *override.LateAfter
	case override.Threshold == nil && o.LateAfter != nil:
		lateAfter = *o.LateAfter
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
	longest := time.Duration(threshold)
	if o.Adaptive {
		longest = max(longest, time.Duration(o.MaxThreshold))
	}
	if err := retiresAfter("retire_after", time.Duration(o.RetireAfter), longest); err != nil {
		return rulePair{}, err
	}
	named := &detector.Rule{
		Threshold:   time.Duration(threshold),
		LateAfter:   time.Duration(lateAfter),
		RetireAfter: time.Duration(o.RetireAfter),
		Severity:    cmp.Or(override.Severity, o.Severity),
		Actions:     o.actions(override),
		Unit:        override.Unit,
		Gaps:        true,
	}
	if override.Threshold != nil {
		named.AdaptUpTo = named.Threshold
	}
	rules := rulePair{named: named, unnamed: named}
	if unnamed != nil {
		if unnamed.Gaps {
			if err := retiresAfter("retire_unnamed_after", unnamed.RetireAfter, longest); err != nil {
				return rulePair{}, err
			}
		}
		rule := *named
		rule.RetireAfter, rule.Gaps, rule.Unnamed = unnamed.RetireAfter, unnamed.Gaps, true
		rules.unnamed = &rule
	}
	return rules, nil
}

// retiresAfter checks that a component is not retired before it is silent.
func retiresAfter(name string, value, threshold time.Duration) error {
	if value > threshold {
		return nil
	}
	return &option.Error{
		Name:    name,
		Problem: fmt.Sprintf("%q is not above the threshold of %q", value, threshold),
		Allowed: "use more, or a gap would be closed as soon as it is opened",
	}
}

// actions are what an operator is recommended to do about a silent component.
func (o *RuleOptions) actions(override *Override) []string {
	switch {
	case len(override.Actions) > 0:
		return override.Actions
	case override.Unit != "":
		return []string{"systemctl status " + override.Unit, "journalctl -u " + override.Unit + " -n 50"}
	case len(o.Actions) > 0:
		return o.Actions
	}
	return livenessgap.DefaultActions
}
