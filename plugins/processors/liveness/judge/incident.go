package judge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// GapType says what is missing.
type GapType string

// The types of gaps.
const (
	HeartbeatMissing     GapType = "heartbeat_missing"      // heard, then silent
	HeartbeatNeverSeen   GapType = "heartbeat_never_seen"   // expected, not heard in time
	HeartbeatMassMissing GapType = "heartbeat_mass_missing" // many at once
	HeartbeatFlapping    GapType = "heartbeat_flapping"     // silent and back, again and again
)

// Gap is the level of one incident: open, and for how long, or closed.
type Gap struct {
	IncidentID string
	Type       GapType
	Open       bool
	LastSeen   float64       // epoch seconds of the last beat by the clock of who sent it; 0: never
	Missing    time.Duration // observed silence since then
	Threshold  time.Duration
	Severity   string
	Reason     string   // for a person
	Members    []string // names; of a mass incident only, and not more than maxMembers of them
	Size       int      // number of members
}

// maxMembers is how many members of a mass incident are named, and maxMembersLength the length of all
// these names, in bytes: a metric of an output plugin has to fit in one line of 64 KiB.
const (
	maxMembers       = 100
	maxMembersLength = 8 << 10
)

// mass is an incident of many components. It bears the name of the one that was silent for longest when it was told,
// its anchor.
type mass struct {
	ID      string          `json:"id"` // of the failure with which it opened
	Opened  time.Duration   `json:"opened"`
	Told    bool            `json:"told,omitempty"`
	Members map[string]bool `json:"members"`

	// Of the anchor.
	Anchor    string        `json:"anchor,omitempty"` // its key
	Niche     string        `json:"niche,omitempty"`
	Host      string        `json:"host,omitempty"`
	LastSeen  float64       `json:"last_seen,omitempty"`
	Since     time.Duration `json:"since,omitempty"` // when its silence began
	Threshold time.Duration `json:"threshold,omitempty"`
	Severity  string        `json:"severity,omitempty"`
}

// anchor makes a component the one that a mass incident is named after.
func (j *Judge) anchor(m *mass, c *component) {
	m.Anchor, m.Niche, m.Host = c.Key, c.Niche, c.Host
	m.LastSeen, m.Since = c.LastSeen, c.Last
	m.Threshold, m.Severity = c.Threshold, c.rule.Severity
	if c.Phase == unseen {
		m.Threshold = j.config.ExpectWithin
	}
}

// incidentSpace is the namespace of the incident ids (RFC 9562, version 5).
var incidentSpace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("incident.chembus"))

// incidentID depends on nothing but the failure itself, so that a restarted monitor and a second one
// on another host say the same.
func incidentID(kind GapType, key string, lastSeen float64) string {
	name := string(kind) + "\x00" + key
	if kind != HeartbeatNeverSeen {
		name += "\x00" + strconv.FormatFloat(lastSeen, 'g', -1, 64)
	}
	return uuid.NewSHA1(incidentSpace, []byte(name)).String()
}

// gap is the level of a component's own incident; missing is how long it has been silent.
func (j *Judge) gap(c *component, kind GapType, id string, open bool, missing time.Duration) *Gap {
	g := &Gap{
		IncidentID: id,
		Type:       kind,
		Open:       open,
		LastSeen:   c.LastSeen,
		Missing:    missing,
		Threshold:  c.Threshold,
		Severity:   c.rule.Severity,
	}
	name := Name(c.Key)
	switch kind {
	case HeartbeatNeverSeen:
		g.Threshold = j.config.ExpectWithin
		g.Reason = fmt.Sprintf("no heartbeat from %q yet, expected within %g s", name, g.Threshold.Seconds())
	case HeartbeatFlapping:
		g.Reason = fmt.Sprintf("the heartbeat of %q comes and goes, %d gaps within %g s", name, j.config.FlapCount, j.config.FlapWindow.Seconds())
	default:
		g.Reason = fmt.Sprintf("no heartbeat from %q for %.1f s, threshold %g s", name, missing.Seconds(), c.Threshold.Seconds())
	}
	return g
}

// massGap is the level of a mass incident.
func (j *Judge) massGap(m *mass, open bool) *Gap {
	g := &Gap{
		IncidentID: m.ID,
		Type:       HeartbeatMassMissing,
		Open:       open,
		LastSeen:   m.LastSeen,
		Missing:    j.sensors.Now - m.Since,
		Threshold:  m.Threshold,
		Severity:   m.Severity,
		Size:       len(m.Members),
		Members:    []string{},
		Reason: fmt.Sprintf("no heartbeat from %d more, %q among them, after %d others within %g s",
			len(m.Members), Name(m.Anchor), j.config.MassCount, j.config.MassWindow.Seconds()),
	}
	if !open {
		g.Reason = fmt.Sprintf("%q and those who were silent with it are back, or forgotten", Name(m.Anchor))
	}
	length := 0
	for _, key := range slices.Sorted(maps.Keys(m.Members)) {
		name := Name(key)
		if length += len(name); len(g.Members) == maxMembers || length > maxMembersLength {
			break
		}
		g.Members = append(g.Members, name)
	}
	return g
}

// KeySeparator is between the parts of a component's identity in its key.
const KeySeparator = "\x1f"

// Name is a key as a person reads it.
func Name(key string) string {
	return strings.ReplaceAll(key, KeySeparator, "/")
}
