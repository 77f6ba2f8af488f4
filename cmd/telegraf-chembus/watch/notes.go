package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// freshFor is the maximum age of a state that a running processor has saved: it saves every 10 s while it observes a
// bus.
const freshFor = 15 * time.Second

// fresh reports whether the state was saved by a processor that is running now.
func fresh(state liveness.Recollection, now time.Time) bool {
	return !state.Saved.IsZero() && now.Sub(state.Saved) < freshFor
}

// hostOf returns the host tag with which the saved state continues: the processor tells buses apart by host and
// endpoint. It is that of the saved bus with this endpoint, preferably one on this host, else the name of this host.
func hostOf(state liveness.Recollection, endpoint, hostname string) string {
	host := hostname
	found := false
	for _, known := range [][]liveness.Sensor{state.Heard, state.Mute} {
		for _, bus := range known {
			if bus.Endpoint == endpoint && (!found || bus.Host == hostname) {
				host, found = bus.Host, true
			}
		}
	}
	return host
}

// notes returns what a reader of a snapshot must know about the saved state.
func notes(state liveness.Recollection, err error, own liveness.Sensor, started time.Time) []string {
	const consequence = "Components that fell silent before the watch started are not shown."
	if err != nil {
		return []string{fmt.Sprintf("The state of the processor cannot be read: %v. %s "+
			"Run the watch as the user that runs Telegraf.", err, consequence)}
	}
	if state.Saved.IsZero() {
		return []string{fmt.Sprintf("The processor has saved no state at %q. %s", state.Path, consequence)}
	}
	var all []string
	if !fresh(state, started) {
		all = append(all, fmt.Sprintf("The processor last saved its state %s before the watch started: it does not run, or does not observe the bus. "+
			"Components without a lag are shown as of then.", span(started.Sub(state.Saved).Seconds())))
	}
	var others []string
	for _, bus := range state.Heard {
		if bus != own {
			others = append(others, fmt.Sprintf("%q of host %q", bus.Endpoint, bus.Host))
		}
	}
	if len(others) > 0 {
		all = append(all, fmt.Sprintf("The processor also monitors %s. Components of these buses are shown as of the saved state.", strings.Join(others, ", ")))
	}
	return all
}
