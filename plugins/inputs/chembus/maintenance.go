package chembus

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// maintenance decides whether the bus is in maintenance. Its signs are a signal, which another signal ends, and a file,
// which is there for as long as it lasts: it is in maintenance from the first sign to the last. Time is passed in.
type maintenance struct {
	limit time.Duration // how long it lasts at most

	announced bool      // a suspend signal was received, and no resume signal since
	marked    bool      // the file exists
	ignored   bool      // the file has existed for longer than the limit
	since     time.Time // when the last maintenance began
}

// Active reports whether the bus is in maintenance.
func (m *maintenance) Active() bool {
	return m.announced || m.marked
}

// Announce takes a suspend signal.
func (m *maintenance) Announce(now time.Time) {
	m.begin(now)
	m.announced = true
}

// Resume takes a resume signal. It ends what a suspend signal began.
func (m *maintenance) Resume() {
	m.announced = false
}

// Mark takes whether the file exists. A file that has existed for longer than the limit is ignored until it was removed.
func (m *maintenance) Mark(exists bool, now time.Time) {
	switch {
	case !exists:
		m.marked, m.ignored = false, false
	case !m.ignored:
		m.begin(now)
		m.marked = true
	}
}

func (m *maintenance) begin(now time.Time) {
	if !m.Active() {
		m.since = now
	}
}

// Expire ends a maintenance that has lasted for the limit, and reports whether it did. A signal that was forgotten, or
// forged, must not end the monitoring.
func (m *maintenance) Expire(now time.Time) bool {
	if !m.Active() || now.Sub(m.since) < m.limit {
		return false
	}
	m.ignored = m.ignored || m.marked
	m.announced, m.marked = false, false
	return true
}

// checkMaintenance checks the options for maintenance, apart from their topics, which checkTopics checks.
func (c *ChemBus) checkMaintenance() error {
	if c.MaintenanceFile != "" && !filepath.IsAbs(c.MaintenanceFile) {
		return &option.Error{
			Name:    "maintenance_file",
			Problem: fmt.Sprintf("%q is no absolute path", c.MaintenanceFile),
			Allowed: `use one such as "/home/NAME/.kloros/maintenance_mode", with the folder written out`,
		}
	}
	if c.MaxSuspension < config.Duration(time.Second) {
		return option.TooSmall("max_suspension", time.Duration(c.MaxSuspension), time.Second)
	}
	return nil
}
