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

const (
	// markerPatience is how long a look at the file is waited for.
	markerPatience = 100 * time.Millisecond
	// markerHangs is how long it must take until it is said that the file system hangs.
	markerHangs = 5 * time.Second
)

// errMarkerHangs says that the file system of the file does not answer.
var errMarkerHangs = errors.New("its file system does not answer")

// marker looks for the file that marks maintenance. A file system that hangs, as one of another host can, must not hold up
// what calls it.
type marker struct {
	file      string // empty: there is none
	isDefault bool   // it was not configured
	log       telegraf.Logger
	stat      func(file string) (fs.FileInfo, error)

	looks   chan error      // what a look at the file led to; nil: none is under way
	looked  time.Time       // when the last one began
	exists  bool            // as of the last look that ended
	unknown logging.Problem // the file cannot be looked at
}

func newMarker(c *ChemBus) marker {
	return marker{file: c.MaintenanceFile, isDefault: c.MaintenanceFile == defaultMarker, log: c.Log, stat: os.Stat}
}

// Exists reports whether the file exists; while its file system hangs, whether it existed before. A file that cannot be
// looked at is logged as an error only if it was configured: most machines have no user of the default file, or one
// whose folder is closed to Telegraf.
func (m *marker) Exists(now time.Time) bool {
	if m.file == "" {
		return false
	}
	err := m.look(now)
	switch {
	case !errors.Is(err, errMarkerHangs):
		m.exists = err == nil
	case now.Sub(m.looked) < markerHangs:
		return m.exists
	}
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
	return m.exists
}

// look looks at the file, or goes on to wait for the look that is under way.
func (m *marker) look(now time.Time) error {
	patience := time.Duration(0)
	if m.looks == nil {
		m.looked = now
		looks := make(chan error, 1) // the look may end when nobody waits for it any more
		go func() {
			_, err := m.stat(m.file)
			looks <- err
		}()
		m.looks, patience = looks, markerPatience
	}
	select {
	case err := <-m.looks:
		m.looks = nil
		return err
	case <-time.After(patience):
		return errMarkerHangs
	}
}
