package colony

import (
	"errors"
	"fmt"
	"os"
)

// The signals around a maintenance.
const (
	SuspendTopic = "MAINTENANCE_SUSPEND"
	ResumeTopic  = "MAINTENANCE_RESUME"
)

// Maintenance is the configuration of a maintenance as the colony's script does it.
type Maintenance struct {
	Zooids    []string // stopped with SIGTERM
	Marker    string   // path of the marker file; empty: none
	NoSignals bool     // as if the bus had dropped them
}

// Suspend begins a maintenance: it publishes MAINTENANCE_SUSPEND, creates the marker file and stops the zooids.
func (c *Colony) Suspend(m Maintenance) error {
	if err := c.maintenanceSignal(m, SuspendTopic); err != nil {
		return err
	}
	if m.Marker != "" {
		if err := os.WriteFile(m.Marker, nil, 0o600); err != nil {
			return fmt.Errorf("colony: creating the marker of the maintenance: %w", err)
		}
	}
	for _, name := range m.Zooids {
		if err := c.Stop(name); err != nil {
			return err
		}
	}
	return nil
}

// Resume ends a maintenance: it starts the zooids again, removes the marker file and publishes MAINTENANCE_RESUME. It does
// all of it even if a part fails.
func (c *Colony) Resume(m Maintenance) error {
	var failures []error
	for _, name := range m.Zooids {
		failures = append(failures, c.Revive(name))
	}
	if m.Marker != "" {
		if err := os.Remove(m.Marker); err != nil {
			failures = append(failures, fmt.Errorf("colony: removing the marker of the maintenance: %w", err))
		}
	}
	return errors.Join(append(failures, c.maintenanceSignal(m, ResumeTopic))...)
}

func (c *Colony) maintenanceSignal(m Maintenance, topic string) error {
	if m.NoSignals {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.publish(Signal{Name: topic, Ecosystem: governance, Intensity: 1, Facts: map[string]any{"reason": "maintenance"}})
}
