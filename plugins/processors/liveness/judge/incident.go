package judge

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// GapType says what is missing.
type GapType string

// HeartbeatMissing is the gap of a component that was heard and fell silent.
const HeartbeatMissing GapType = "heartbeat_missing"

// Severity is the severity of every gap.
const Severity = "critical"

// Gap is the level of one incident: open, and for how long, or closed.
type Gap struct {
	IncidentID string
	Type       GapType
	Open       bool
	LastSeen   float64       // epoch seconds of the last beat, by the clock of who sent it
	Missing    time.Duration // observed silence since then
	Threshold  time.Duration
	Severity   string
	Reason     string // for a person
}

// incidentSpace is the namespace of the incident ids (RFC 9562, version 5).
var incidentSpace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("incident.chembus"))

// incidentID depends on nothing but the failure itself, so that a restarted monitor and a second one
// on another host say the same.
func incidentID(kind GapType, key string, lastSeen float64) string {
	name := string(kind) + "\x00" + key + "\x00" + strconv.FormatFloat(lastSeen, 'g', -1, 64)
	return uuid.NewSHA1(incidentSpace, []byte(name)).String()
}

func (j *Judge) gap(c *component, open bool, missing time.Duration) *Gap {
	return &Gap{
		IncidentID: c.incident,
		Type:       HeartbeatMissing,
		Open:       open,
		LastSeen:   c.missingSince,
		Missing:    missing,
		Threshold:  j.config.Threshold,
		Severity:   Severity,
		Reason: fmt.Sprintf("no heartbeat from %q for %.1f s, threshold %g s",
			c.name, missing.Seconds(), j.config.Threshold.Seconds()),
	}
}
