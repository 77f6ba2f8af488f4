package chembus

import (
	"fmt"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// checkTopics checks the options that name topics. A message is one thing, so no two of them may name the same topic.
func (c *ChemBus) checkTopics() error {
	if c.HeartbeatTopic == "" {
		return &option.Error{Name: "heartbeat_topic", Problem: "is empty", Allowed: `use the topic of the heartbeats, such as "HEARTBEAT"`}
	}
	named := []struct{ option, topic string }{
		{"heartbeat_topic", c.HeartbeatTopic},
		{"kill_topic", c.KillTopic},
		{"suspend_topic", c.SuspendTopic},
		{"resume_topic", c.ResumeTopic},
	}
	for i, later := range named {
		for _, earlier := range named[:i] {
			if later.topic != "" && later.topic == earlier.topic {
				return &option.Error{Name: later.option, Problem: "equals " + earlier.option, Allowed: `use another topic, or "" for none`}
			}
		}
	}
	if err := c.checkSignals(); err != nil {
		return err
	}
	for _, topic := range c.Signals {
		named = append(named, struct{ option, topic string }{"signals", topic})
	}
	for i, block := range c.Stops {
		if err := block.init(i); err != nil {
			return err
		}
		for _, other := range named {
			if other.topic != "" && block.Match(other.topic) {
				return &option.Error{
					Name:    "topic",
					Problem: fmt.Sprintf("%q matches %q, which is named in %s", block.Topic, other.topic, other.option),
					Allowed: "use a topic that has no other meaning",
					Table:   stopTable, Number: i,
				}
			}
		}
	}
	return nil
}
