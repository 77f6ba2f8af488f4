package liveness

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

// A judge that only looks on, beside the one that works, is initialised and not started: it locks nothing and
// saves nothing. What this file holds is for it.

// Recollection is what an onlooker knows from before.
type Recollection struct {
	Path        string    // of the state file
	Saved       time.Time // zero: there is no state
	Heard, Mute []Sensor  // those that the judge heard when it saved its state, and those of the past
}

// Sensor names one source of beats and ticks.
type Sensor struct {
	Host     string // empty: Telegraf gives its metrics none
	Endpoint string
}

// Recall starts over with what the judge with the same options saved, and leaves the file and its lock alone.
// That there is no state is no error. After an error the judge knows nothing from before.
func (l *Liveness) Recall() (Recollection, error) {
	l.judge = judge.New(l.judgeConfig())
	var r Recollection
	r.Path, _ = statefile.Place(l.StateFile, stateName)
	var memory judge.Memory
	saved, err := statefile.Read(r.Path, &memory)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	heard, mute := memory.Heard(time.Duration(l.BlindAfter))
	if err := l.judge.Restore(&memory); err != nil {
		return r, err
	}
	r.Saved, r.Heard, r.Mute = saved, namedSensors(heard), namedSensors(mute)
	return r, nil
}

// namedSensors reads what sensorOf wrote.
func namedSensors(ids []string) []Sensor {
	var sensors []Sensor
	for _, id := range ids {
		host, endpoint, _ := strings.Cut(id, " ")
		sensors = append(sensors, Sensor{Host: host, Endpoint: endpoint})
	}
	return sensors
}

// Report adds the status of every component and the level of every open gap, whether a report is due or not.
// It must not be called during Add.
func (l *Liveness) Report(acc telegraf.Accumulator, at time.Time) {
	l.report(acc, l.judge.Report(), at)
}
