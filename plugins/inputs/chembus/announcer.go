package chembus

import (
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// AnnounceInterval is the time between the own heartbeats of the plugin.
	AnnounceInterval = 10 * time.Second
	// AnnounceNiche is the niche that they name.
	AnnounceNiche = "observability"
	// ecosystem is what the plugin's own messages name.
	ecosystem = "monitoring"
	// copyAfter is when a publisher repeats the first message of a topic.
	copyAfter = 150 * time.Millisecond
)

// announcer makes the plugin's own heartbeats, as every subscriber on the bus sends them: one at
// once, repeated after 150 ms, then one every 10 s.
type announcer struct {
	name, topic string

	next     time.Time // zero: has not begun
	repeat   []byte
	repeatAt time.Time
	heard    uint64 // total of heartbeats at the last announcement
}

// Due returns the heartbeat to send now, or nil. Uptime is the plugin's, heard its total of
// heartbeats.
func (a *announcer) Due(now time.Time, uptime time.Duration, heard uint64) []byte {
	if a.repeat != nil && !now.Before(a.repeatAt) {
		payload := a.repeat
		a.repeat = nil
		return payload
	}
	if now.Before(a.next) {
		return nil
	}
	payload, err := bus.Message{
		Signal:    a.topic,
		Ecosystem: ecosystem,
		Intensity: 1,
		Facts: map[string]any{
			"zooid":           a.name,
			"niche":           AnnounceNiche,
			"uptime_s":        bus.Float(uptime.Seconds()),
			"processed_count": heard - a.heard,
		},
		TS: bus.Float(bus.EpochSeconds(now)),
	}.Encode()
	if err != nil {
		return nil // cannot be: every fact is finite
	}
	if a.next.IsZero() {
		a.next = now
		a.repeat, a.repeatAt = payload, now.Add(copyAfter)
	}
	a.next = a.next.Add((now.Sub(a.next)/AnnounceInterval + 1) * AnnounceInterval)
	a.heard = heard
	return payload
}

// NextDue returns when Due has something again; zero before the first.
func (a *announcer) NextDue() time.Time {
	if a.repeat != nil {
		return a.repeatAt
	}
	return a.next
}
