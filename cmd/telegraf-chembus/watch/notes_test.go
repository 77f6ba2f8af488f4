package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

func TestHostOfTheSavedBus(t *testing.T) {
	bus := "tcp://127.0.0.1:5559"
	for _, test := range []struct {
		name        string
		heard, mute []liveness.Sensor
		want        string
	}{
		{"no bus", nil, nil, "self"},
		{"hostname set in Telegraf", []liveness.Sensor{{Host: "other", Endpoint: bus}}, nil, "other"},
		{"no host tag", []liveness.Sensor{{Endpoint: bus}}, nil, ""},
		{"another endpoint", []liveness.Sensor{{Host: "other", Endpoint: "tcp://10.0.0.1:5559"}}, nil, "self"},
		{"the endpoint on several hosts", []liveness.Sensor{{Host: "other", Endpoint: bus}, {Host: "self", Endpoint: bus}}, nil, "self"},
		{"one heard, one not", []liveness.Sensor{{Host: "other", Endpoint: bus}}, []liveness.Sensor{{Host: "old", Endpoint: bus}}, "other"},
		{"one not heard", nil, []liveness.Sensor{{Host: "old", Endpoint: bus}}, "old"},
	} {
		require.Equal(t, test.want, hostOf(liveness.Recollection{Heard: test.heard, Mute: test.mute}, bus, "self"), test.name)
	}
}

func TestNotes(t *testing.T) {
	own := liveness.Sensor{Host: "h", Endpoint: "tcp://127.0.0.1:5559"}
	known := liveness.Recollection{Path: "/state", Saved: at, Heard: []liveness.Sensor{own}}
	require.Empty(t, notes(known, nil, own, at.Add(9*time.Second)))

	require.Equal(t, []string{`The processor has saved no state at "/state". Components that fell silent before the watch started are not shown.`},
		notes(liveness.Recollection{Path: "/state"}, nil, own, at))
	require.Equal(t, []string{"The state of the processor cannot be read: open /state: permission denied. " +
		"Components that fell silent before the watch started are not shown. Run the watch as the user that runs Telegraf."},
		notes(liveness.Recollection{Path: "/state"}, errors.New("open /state: permission denied"), own, at))
	require.Equal(t, []string{"The processor last saved its state 2h00m before the watch started: it does not run, or does not observe the bus. " +
		"Components without a lag are shown as of then."}, notes(known, nil, own, at.Add(2*time.Hour)))

	known.Heard = append(known.Heard, liveness.Sensor{Host: "g", Endpoint: "tcp://10.0.0.1:5559"})
	require.Equal(t, []string{`The processor also monitors "tcp://10.0.0.1:5559" of host "g". Components of these buses are shown as of the saved state.`},
		notes(known, nil, own, at))
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
