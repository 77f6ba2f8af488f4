package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	sensor "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	voice "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// clash returns what is wrong with a plugin's options beside those of the other plugins in its file, nil if nothing
// is: each may be good by itself, and together they would miss failures or find false ones.
func clash(plugin telegraf.PluginDescriber, others []telegraf.PluginDescriber) error {
	for _, other := range others {
		var err error
		switch p := plugin.(type) {
		case *liveness.Liveness:
			if s, ok := other.(*sensor.ChemBus); ok {
				err = cmp.Or(clashWithSensor(p, s.TickInterval, s.BlindAfter), clashWithAnnouncement(p, s))
			}
		case *voice.ChemBus:
			l, ok := other.(*liveness.Liveness)
			if ok && p.StateFile != "" && filepath.Clean(p.StateFile) == filepath.Clean(l.StateFile) {
				err = &option.Error{Name: "state_file", Problem: fmt.Sprintf("%q is that of [[processors.liveness]], too", p.StateFile), Allowed: "give each its own"}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clashWithSensor returns what is wrong with the judge's options for what a sensor with these tells.
func clashWithSensor(l *liveness.Liveness, ticks, blind config.Duration) error {
	if l.BlindAfter > blind {
		return &option.Error{
			Name: "blind_after",
			Problem: fmt.Sprintf("%q is above that of [[inputs.chembus]], %q: after a stall who lives could look silent",
				time.Duration(l.BlindAfter), time.Duration(blind)),
			Allowed: "use the same",
		}
	}
	beside := fmt.Sprintf("is not above tick_interval of [[inputs.chembus]], %q", time.Duration(ticks))
	if l.BlindAfter <= ticks {
		return &option.Error{
			Name:    "blind_after",
			Problem: fmt.Sprintf("%q %s: every tick would look as if others had been lost, and nobody would be judged", time.Duration(l.BlindAfter), beside),
			Allowed: fmt.Sprintf("use that of [[inputs.chembus]], %q", time.Duration(blind)),
		}
	}
	tooShort := func(threshold config.Duration) *option.Error {
		return &option.Error{
			Name:    "threshold",
			Problem: fmt.Sprintf("%q %s, in which beats are merged: who lives would look silent", time.Duration(threshold), beside),
			Allowed: "use at least three times the interval of the heartbeats",
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

// clashWithAnnouncement returns what is wrong with the judge's threshold for the sensor's own heartbeats.
func clashWithAnnouncement(l *liveness.Liveness, s *sensor.ChemBus) error {
	name := s.AnnounceAs
	threshold := l.ThresholdOf(name, sensor.AnnounceNiche)
	if name == "" || s.PublishEndpoint == bus.NoEndpoint || threshold == 0 || threshold > sensor.AnnounceInterval {
		return nil
	}
	return &option.Error{
		Name: "threshold",
		Problem: fmt.Sprintf("%q is not above %v, the interval at which [[inputs.chembus]] beats as %q itself: that would look silent again and again",
			threshold, sensor.AnnounceInterval, name),
		Allowed: `set announce_as = "" in [[inputs.chembus]], or use a longer one`,
	}
}
