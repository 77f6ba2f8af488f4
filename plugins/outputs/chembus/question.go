package chembus

import (
	"fmt"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

const (
	// questionPrefix begins the question_id. The consumer skips those that begin with "meta.", "investigation.",
	// "pattern.archive.", "curiosity.processor." or "archive.system.".
	questionPrefix = "liveness."
	// questionSource is where the questions come from.
	questionSource = "telegraf-chembus"
)

// severities are those that consumers know, the lowest first.
var severities = []string{"low", "medium", "high", "critical"}

// priorities are those of investigations, by severity.
var priorities = map[string]string{"low": "low", "medium": "medium", "high": "high", "critical": "emergency"}

// question returns the facts by which an investigation of a gap is asked for.
func (c *ChemBus) question(g *gap) map[string]any {
	question, hypothesis := g.question()
	return map[string]any{
		"question_id":    questionPrefix + g.Incident,
		"question":       question,
		"hypothesis":     hypothesis,
		"evidence":       g.evidence(),
		"capability_key": g.name(),
		"priority":       priorities[g.Severity],
		"source":         questionSource,
		"context": struct {
			facts
			IncidentID string `json:"incident_id"`
		}{c.facts(g), g.Incident},
	}
}

// question returns what is to be found out about a gap, and what is the most likely.
func (g *gap) question() (question, hypothesis string) {
	switch {
	case g.Members != nil:
		return fmt.Sprintf("Why did %d components fall silent at once?", g.Count),
			"What they have in common, such as a host, a network or a service, has failed."
	case g.Kind == gaptype.Flapping:
		return fmt.Sprintf("Why does %q fall silent again and again?", g.component),
			fmt.Sprintf("The process of %q is restarted again and again, or is overloaded.", g.component)
	case g.neverSeen():
		return fmt.Sprintf("Why has %q never sent a heartbeat?", g.component),
			fmt.Sprintf("%q was not started, or runs under another name.", g.component)
	}
	return fmt.Sprintf("Why does %q send no heartbeats any more?", g.component),
		fmt.Sprintf("The process of %q, or only its heartbeat thread, has ended.", g.component)
}

// evidence returns what speaks for a gap.
func (g *gap) evidence() []string {
	evidence := []string{g.Reason, g.detectionMethod()}
	if !g.neverSeen() {
		at := time.UnixMilli(int64(g.LastSeen * 1e3)).UTC()
		evidence = append(evidence, "last heartbeat at "+at.Format(time.RFC3339Nano))
	}
	return evidence
}
