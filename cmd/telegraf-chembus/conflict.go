//go:build cgo

package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	input "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	output "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
	page "github.com/kloros/telegraf-chembus/plugins/outputs/liveness"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// conflict returns the first conflict of a plugin's options with those of the other plugins in its file, nil if there
// is none. Each option is valid by itself; together they would miss failures or report false ones.
func conflict(plugin telegraf.PluginDescriber, others []telegraf.PluginDescriber) error {
	for _, other := range others {
		var err error
		switch p := plugin.(type) {
		case *liveness.Liveness:
			switch o := other.(type) {
			case *input.ChemBus:
				err = cmp.Or(conflictWithTicks(p, o.TickInterval, o.BlindAfter), conflictWithAnnouncement(p, o))
			case *output.ChemBus:
				err = conflictWithOutput(p)
			}
		case *output.ChemBus:
			switch o := other.(type) {
			case *liveness.Liveness:
				err = conflictWithState(p, o, "processors.liveness")
			case *input.ChemBus:
				err = conflictWithTopics(p, o)
			}
		case *page.Liveness:
			switch o := other.(type) {
			case *liveness.Liveness:
				err = conflictWithState(p, o, "processors.liveness")
			case *output.ChemBus:
				err = conflictWithState(p, o, "outputs.chembus")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conflictWithTicks checks the processor's times against the input's tick_interval and blind_after.
func conflictWithTicks(l *liveness.Liveness, ticks, blind config.Duration) error {
	if l.BlindAfter > blind {
		return &option.Error{
			Name: "blind_after",
			Problem: fmt.Sprintf("%q is above blind_after of [[inputs.chembus]], %q: after a stall, live components could be reported as silent",
				time.Duration(l.BlindAfter), time.Duration(blind)),
			Allowed: "use the same value",
		}
	}
	notAbove := fmt.Sprintf("is not above tick_interval of [[inputs.chembus]], %q", time.Duration(ticks))
	if l.BlindAfter <= ticks {
		return &option.Error{
			Name: "blind_after",
			Problem: fmt.Sprintf("%q %s: the time between any two ticks would not be counted, and no gap would be found",
				time.Duration(l.BlindAfter), notAbove),
			Allowed: fmt.Sprintf("use blind_after of [[inputs.chembus]], %q", time.Duration(blind)),
		}
	}
	tooShort := func(threshold config.Duration) *option.Error {
		return &option.Error{
			Name: "threshold",
			Problem: fmt.Sprintf("%q %s, in which beats are merged: live components would be reported as silent",
				time.Duration(threshold), notAbove),
			Allowed: "use at least three times the heartbeat interval",
		}
	}
	if l.Threshold <= ticks {
		return tooShort(l.Threshold)
	}
	for i, o := range l.Overrides {
		if o.Threshold != nil && *o.Threshold <= ticks {
			err := tooShort(*o.Threshold)
			err.Table, err.Number = "override", i
			return err
		}
	}
	if l.Adaptive && l.MinThreshold <= ticks {
		err := tooShort(l.MinThreshold)
		err.Name = "min_threshold"
		return err
	}
	return nil
}

// conflictWithOutput checks a processor beside which gaps are published.
func conflictWithOutput(l *liveness.Liveness) error {
	if !l.Adopt {
		return nil
	}
	return &option.Error{
		Name: "adopt", Problem: "is set beside [[outputs.chembus]]: gaps of other processors would end in this one and not be published",
		Allowed: "set it for a central processor only, whose file has no [[outputs.chembus]]",
	}
}

// conflictWithTopics checks that gaps are not published where they mean something else: a gap on the topic of the heartbeats
// would be one of the component that it is about, and on the one of the kill signal it would stop the colony.
func conflictWithTopics(out *output.ChemBus, in *input.ChemBus) error {
	for _, topic := range []struct{ option, name string }{
		{"heartbeat_topic", in.HeartbeatTopic}, {"kill_topic", in.KillTopic},
		{"suspend_topic", in.SuspendTopic}, {"resume_topic", in.ResumeTopic},
	} {
		if out.Signal == topic.name {
			return &option.Error{
				Name: "signal", Problem: fmt.Sprintf("%q is the %s of [[inputs.chembus]]", out.Signal, topic.option),
				Allowed: `use another topic in one of the two; consumers of gaps subscribe to one such as "CAPABILITY_GAP"`,
			}
		}
	}
	return nil
}

// conflictWithAnnouncement checks the threshold that applies to the input's own heartbeats.
func conflictWithAnnouncement(l *liveness.Liveness, in *input.ChemBus) error {
	name := in.AnnounceAs
	threshold := l.ThresholdOf(name, input.AnnounceNiche)
	if name == "" || in.PublishEndpoint == bus.NoEndpoint || threshold == 0 || threshold > input.AnnounceInterval {
		return nil
	}
	return &option.Error{
		Name: "threshold",
		Problem: fmt.Sprintf("%q is not above %v, the interval at which [[inputs.chembus]] sends heartbeats as %q, which would be reported as silent",
			threshold, input.AnnounceInterval, name),
		Allowed: `use a longer threshold, or set announce_as = "" in [[inputs.chembus]]`,
	}
}
