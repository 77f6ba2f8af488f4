package watch

import (
	"fmt"
	"maps"
	"slices"
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

// busTags returns the tags for the metrics of the input, so that the processor continues with what it has saved of this
// bus. They are those of the saved bus with this endpoint: the one on this host, else the one heard last. Without a saved
// bus it is the name of this host, which Telegraf adds.
func busTags(state liveness.Recollection, endpoint, hostname string) map[string]string {
	var found *liveness.RecalledBus
	for i := range state.Buses {
		bus := &state.Buses[i]
		if saved, ok := bus.Tags["endpoint"]; ok && saved != endpoint {
			continue
		}
		if found == nil || bus.Tags["host"] == hostname || found.Tags["host"] != hostname && bus.Heard.After(found.Heard) {
			found = bus
		}
	}
	switch {
	case found != nil:
		return found.Tags
	case hostname != "":
		return map[string]string{"host": hostname}
	}
	return nil
}

// notes returns what a reader of a snapshot must know about the saved state; own are the tags of the bus that is shown.
func notes(state liveness.Recollection, err error, own map[string]string, started time.Time) []string {
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
	for _, bus := range state.Buses {
		if !maps.Equal(bus.Tags, own) && state.Saved.Sub(bus.Heard) < freshFor {
			others = append(others, describe(bus.Tags))
		}
	}
	if len(others) > 0 {
		all = append(all, fmt.Sprintf("The processor also monitors %s. The watch does not show other buses than its own.", strings.Join(others, ", ")))
	}
	return all
}

// describe formats the tags of a bus.
func describe(tags map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, tags[name]))
	}
	return strings.Join(parts, " ")
}
