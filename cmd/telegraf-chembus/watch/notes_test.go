package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

const otherEndpoint = "tcp://10.0.0.1:5559"

// saved returns a bus of the processor's state that was heard that long before at.
func saved(host, endpoint string, before time.Duration) liveness.RecalledBus {
	bus := liveness.RecalledBus{Tags: map[string]string{"endpoint": endpoint}, Heard: at.Add(-before)}
	if host != "" {
		bus.Tags["host"] = host
	}
	return bus
}

func TestTagsOfTheSavedBus(t *testing.T) {
	here := map[string]string{"host": "self"}
	for _, test := range []struct {
		name  string
		buses []liveness.RecalledBus
		want  map[string]string
	}{
		{"no bus", nil, here},
		{"hostname set in Telegraf", []liveness.RecalledBus{saved("other", endpoint, 0)}, map[string]string{"host": "other", "endpoint": endpoint}},
		{"no host tag", []liveness.RecalledBus{saved("", endpoint, 0)}, map[string]string{"endpoint": endpoint}},
		{"another endpoint", []liveness.RecalledBus{saved("other", otherEndpoint, 0)}, here},
		{"the endpoint on several hosts", []liveness.RecalledBus{saved("self", endpoint, time.Hour), saved("other", endpoint, 0)},
			map[string]string{"host": "self", "endpoint": endpoint}},
		{"several other hosts", []liveness.RecalledBus{saved("old", endpoint, time.Hour), saved("new", endpoint, 0)},
			map[string]string{"host": "new", "endpoint": endpoint}},
		{"buses named by another tag", []liveness.RecalledBus{{Tags: map[string]string{"site": "a"}}}, map[string]string{"site": "a"}},
	} {
		require.Equal(t, test.want, busTags(liveness.Recollection{Buses: test.buses}, endpoint, "self"), test.name)
	}
	require.Empty(t, busTags(liveness.Recollection{}, endpoint, ""))
}

func TestNotes(t *testing.T) {
	own := saved("h", endpoint, 0)
	known := liveness.Recollection{Path: "/state", Saved: at, Buses: []liveness.RecalledBus{own, saved("old", endpoint, time.Hour)}}
	require.Empty(t, notes(known, nil, own.Tags, at.Add(9*time.Second)))

	require.Equal(t, []string{`The processor has saved no state at "/state". Components that fell silent before the watch started are not shown.`},
		notes(liveness.Recollection{Path: "/state"}, nil, own.Tags, at))
	require.Equal(t, []string{"The state of the processor cannot be read: open /state: permission denied. " +
		"Components that fell silent before the watch started are not shown. Run the watch as the user that runs Telegraf."},
		notes(liveness.Recollection{Path: "/state"}, errors.New("open /state: permission denied"), own.Tags, at))
	require.Equal(t, []string{"The processor last saved its state 2h00m before the watch started: it does not run, or does not observe the bus. " +
		"Components without a lag are shown as of then."}, notes(known, nil, own.Tags, at.Add(2*time.Hour)))

	known.Buses = append(known.Buses, saved("g", otherEndpoint, time.Second))
	require.Equal(t, []string{`The processor also monitors endpoint="tcp://10.0.0.1:5559" host="g". The watch does not show other buses than its own.`},
		notes(known, nil, own.Tags, at))
}

func TestReady(t *testing.T) {
	withState := readiness{interval: time.Second, blind: 3 * time.Second}
	observable := Bus{Observable: true}
	require.False(t, withState.reached(observable, 900*time.Millisecond))
	require.True(t, withState.reached(observable, time.Second), "with a fresh state one tick interval is enough")
	rtt := 0.001
	require.False(t, withState.reached(Bus{Observable: true, Probing: true}, time.Second))
	require.True(t, withState.reached(Bus{Observable: true, Probing: true, ProbeRTTS: &rtt}, time.Second))
	require.True(t, withState.reached(Bus{Observable: true, Probing: true}, 4*time.Second), "the probe does not return")
	require.False(t, withState.reached(Bus{}, 3900*time.Millisecond))
	require.True(t, withState.reached(Bus{}, 4*time.Second), "nothing is received")

	withoutState := readiness{interval: time.Second, blind: 3 * time.Second, observe: 10 * time.Second}
	require.False(t, withoutState.reached(Bus{Observable: true, ObservedS: 9.9}, 11*time.Second))
	require.True(t, withoutState.reached(Bus{Observable: true, ObservedS: 10}, 11*time.Second))
	require.True(t, withoutState.reached(Bus{Observable: true, ObservedS: 2}, 14*time.Second), "the bus was lost for some time")
}

// TestBusIsNotKnownAtFirst has the first picture of a live watch before anything could come.
func TestBusIsNotKnownAtFirst(t *testing.T) {
	r := readiness{interval: time.Second, blind: 3 * time.Second, observe: 10 * time.Second}
	require.False(t, r.known(Bus{Connected: true}, 0))
	require.False(t, r.known(Bus{Connected: true}, 3900*time.Millisecond))
	require.True(t, r.known(Bus{Connected: true}, 4*time.Second), "nothing is received")
	require.True(t, r.known(Bus{Observable: true}, time.Second))
	require.True(t, r.known(Bus{ObservedS: 0.5}, time.Second), "it was lost again")
	require.True(t, r.known(Bus{Disconnects: 1}, time.Second))
}
