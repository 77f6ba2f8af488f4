package chembus

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// defaultMarker is the file that the colony's scripts create for the time of a maintenance.
const defaultMarker = "/home/kloros/.kloros/maintenance_mode"

// marker looks for the file that marks maintenance.
type marker struct {
	file      string // empty: there is none
	isDefault bool   // nobody asked for the file
	log       telegraf.Logger

	unknown logging.Problem // the file cannot be looked at
}

// Exists reports whether the file exists. That it cannot be looked at is an error only if it was asked for: most
// machines have no such user, or one whose folder is closed to Telegraf.
func (m *marker) Exists(now time.Time) bool {
	if m.file == "" {
		return false
	}
	_, err := os.Stat(m.file)
	change, _ := m.unknown.Update(err != nil && !errors.Is(err, fs.ErrNotExist), now)
	switch {
	case change == logging.Began && m.isDefault:
		m.log.Infof("Maintenance is noticed by its signals only, because maintenance_file cannot be looked at: %v. "+
			`Let the user of Telegraf search %q, or set maintenance_file = ""`, err, filepath.Dir(m.file))
	case change == logging.Began:
		m.log.Errorf("Maintenance is noticed by its signals only, because maintenance_file cannot be looked at: %v. "+
			"Let the user of Telegraf search %q", err, filepath.Dir(m.file))
	case change == logging.Ended:
		m.log.Infof("The maintenance_file %q can be looked at again", m.file)
	}
	return err == nil
}
