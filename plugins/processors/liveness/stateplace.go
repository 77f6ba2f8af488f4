package liveness

import "github.com/kloros/telegraf-chembus/plugins/common/statefile"

// StatePlace returns where the state file is looked for, and whether that place is given rather than the default.
func (l *Liveness) StatePlace() (path string, given bool) {
	return statefile.Place(l.StateFile, stateName)
}
