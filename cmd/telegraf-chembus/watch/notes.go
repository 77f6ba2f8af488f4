package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// freshFor is how old a state can be whose judge works and hears the bus: it saves every 10 s.
const freshFor = 15 * time.Second

// fresh reports whether the judge that works has lately told what it knows.
func fresh(memory liveness.Recollection, now time.Time) bool {
	return !memory.Saved.IsZero() && now.Sub(memory.Saved) < freshFor
}

// stead returns the host of the sensor in whose place one on this host can stand: to the judge it is the same
// one, started again.
func stead(memory liveness.Recollection, endpoint, hostname string) string {
	host := hostname
	found := false
	for _, sensors := range [][]liveness.Sensor{memory.Heard, memory.Mute} {
		for _, s := range sensors {
			if s.Endpoint == endpoint && (!found || s.Host == hostname) {
				host, found = s.Host, true
			}
		}
	}
	return host
}

// notes says what one must know about the memory.
func notes(memory liveness.Recollection, err error, self liveness.Sensor, started time.Time) []string {
	const consequence = "Components that are silent since before are not shown."
	if err != nil {
		return []string{fmt.Sprintf("Knows nothing from before: the judge's state cannot be read: %v. %s "+
			"Run it as the user that runs Telegraf.", err, consequence)}
	}
	if memory.Saved.IsZero() {
		return []string{fmt.Sprintf("Knows nothing from before: there is no state of a judge at %q. %s", memory.Path, consequence)}
	}
	var said []string
	if !fresh(memory, started) {
		said = append(said, fmt.Sprintf("The judge had last saved its state %s before: it does not run, or does not hear the bus. "+
			"Who was not heard since (no lag) is shown as it was then.", span(started.Sub(memory.Saved).Seconds())))
	}
	var others []string
	for _, s := range memory.Heard {
		if s != self {
			others = append(others, fmt.Sprintf("%q of host %q", s.Endpoint, s.Host))
		}
	}
	if len(others) > 0 {
		said = append(said, fmt.Sprintf("The judge also listens at %s. What it heard only there is shown as it was.", strings.Join(others, ", ")))
	}
	return said
}
