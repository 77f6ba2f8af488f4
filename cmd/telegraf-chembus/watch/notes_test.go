package watch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

func TestStandsInTheSensorsPlace(t *testing.T) {
	bus := "tcp://127.0.0.1:5559"
	for _, test := range []struct {
		name        string
		heard, mute []liveness.Sensor
		want        string
	}{
		{"nothing known", nil, nil, "self"},
		{"hostname set in Telegraf", []liveness.Sensor{{Host: "other", Endpoint: bus}}, nil, "other"},
		{"no host tag", []liveness.Sensor{{Endpoint: bus}}, nil, ""},
		{"another bus", []liveness.Sensor{{Host: "other", Endpoint: "tcp://10.0.0.1:5559"}}, nil, "self"},
		{"a judge of several hosts", []liveness.Sensor{{Host: "other", Endpoint: bus}, {Host: "self", Endpoint: bus}}, nil, "self"},
		{"a sensor of the past", []liveness.Sensor{{Host: "other", Endpoint: bus}}, []liveness.Sensor{{Host: "old", Endpoint: bus}}, "other"},
		{"only one of the past", nil, []liveness.Sensor{{Host: "old", Endpoint: bus}}, "old"},
	} {
		require.Equal(t, test.want, stead(liveness.Recollection{Heard: test.heard, Mute: test.mute}, bus, "self"), test.name)
	}
}

func TestNotes(t *testing.T) {
	self := liveness.Sensor{Host: "h", Endpoint: "tcp://127.0.0.1:5559"}
	known := liveness.Recollection{Path: "/state", Saved: at, Heard: []liveness.Sensor{self}}
	require.Empty(t, notes(known, nil, self, at.Add(9*time.Second)))

	require.Equal(t, []string{`Knows nothing from before: there is no state of a judge at "/state". Components that are silent since before are not shown.`},
		notes(liveness.Recollection{Path: "/state"}, nil, self, at))
	require.Equal(t, []string{"Knows nothing from before: the judge's state cannot be read: open /state: permission denied. " +
		"Components that are silent since before are not shown. Run it as the user that runs Telegraf."},
		notes(liveness.Recollection{Path: "/state"}, errors.New("open /state: permission denied"), self, at))
	require.Equal(t, []string{"The judge had last saved its state 2h00m before: it does not run, or does not hear the bus. " +
		"Who was not heard since (no lag) is shown as it was then."}, notes(known, nil, self, at.Add(2*time.Hour)))

	known.Heard = append(known.Heard, liveness.Sensor{Host: "g", Endpoint: "tcp://10.0.0.1:5559"})
	require.Equal(t, []string{`The judge also listens at "tcp://10.0.0.1:5559" of host "g". What it heard only there is shown as it was.`},
		notes(known, nil, self, at))
}

func TestPatience(t *testing.T) {
	knows := patience{interval: time.Second, blind: 3 * time.Second}
	observable := Bus{Observable: true}
	require.False(t, knows.Over(observable, 900*time.Millisecond))
	require.True(t, knows.Over(observable, time.Second), "one interval is enough for one who knows who is there")
	rtt := 0.001
	require.False(t, knows.Over(Bus{Observable: true, Probing: true}, time.Second))
	require.True(t, knows.Over(Bus{Observable: true, Probing: true, ProbeRTTS: &rtt}, time.Second))
	require.True(t, knows.Over(Bus{Observable: true, Probing: true}, 4*time.Second), "the way to the bus is closed")
	require.False(t, knows.Over(Bus{}, 3900*time.Millisecond))
	require.True(t, knows.Over(Bus{}, 4*time.Second), "nothing comes")

	fresh := patience{interval: time.Second, blind: 3 * time.Second, observe: 10 * time.Second}
	require.False(t, fresh.Over(Bus{Observable: true, ObservedS: 9.9}, 11*time.Second))
	require.True(t, fresh.Over(Bus{Observable: true, ObservedS: 10}, 11*time.Second))
	require.True(t, fresh.Over(Bus{Observable: true, ObservedS: 2}, 14*time.Second), "the bus was lost meanwhile")
}
