// Package gaptype names the types of gaps, which are the values of the tag gap_type of the metric liveness_gap.
package gaptype

// What processors.liveness finds missing.
const (
	Missing   = "heartbeat_missing"      // heard, then silent
	NeverSeen = "heartbeat_never_seen"   // expected, not heard in time
	Outage    = "heartbeat_mass_missing" // many silent at once
	Flapping  = "heartbeat_flapping"     // silent and back, again and again
)

// All are all of them: each says that components are silent.
var All = []string{Missing, NeverSeen, Outage, Flapping}
