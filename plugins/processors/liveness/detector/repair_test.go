package detector

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRestoreRepairsWhatContradictsItself loads states that cannot be. What is sound of them is used: "sound" is silent
// and has an open gap in each.
func TestRestoreRepairsWhatContradictsItself(t *testing.T) {
	const sound = `{"key":"sound","state":"silent","incident":"i","beats":1}`
	for _, test := range []struct{ state, said string }{
		{`{"components":[` + sound + `,{"key":""}]}`, "a component without a name was dropped"},
		{`{"components":[` + sound + `,{"key":"sound","state":"up","last":-1}]}`, `component "sound" was there twice; the later one is used`},
		{`{"components":[{"key":"sound","state":"up","last":-1},` + sound + `]}`, `component "sound" was there twice; the later one is used`},
		{`{"components":[{"key":"a"},` + sound + `]}`, `component "a" was in the unknown state "" and was dropped`},
		{`{"components":[{"key":"a","state":"retired"},` + sound + `]}`, `component "a" was in the unknown state "retired" and was dropped`},
		{`{"components":[{"key":"a","state":"up","last":9223372036854775807},` + sound + `]}`, `component "a" had impossible values and was dropped`},
		{`{"components":[{"key":"a","state":"up","rhythm":{"interval":-1}},` + sound + `]}`, `component "a" had impossible values and was dropped`},
		{`{"components":[{"key":"a","state":"up","incident":"i"},` + sound + `]}`, `component "a" was "up" and had an open gap, which was dropped`},
		{`{"components":[` + sound + `],"outages":[{"id":"x","reported":true,"key":"a","members":["a"]}]}`,
			`outage "x" had "a" as a member, which cannot be in it and was dropped from it`},
		{`{"components":[{"key":"a","state":"silent"},` + sound + `],"outages":[{"id":"x","reported":true,"key":"a","members":["a"]}]}`,
			`component "a" was a member of the outage "x", and of the incident ""`},
		{`{"components":[{"key":"a","state":"silent","incident":"x","member":true},` + sound + `]}`,
			`component "a" was a member of the outage "x", which is not open`},
		{`{"components":[{"key":"a","state":"silent","incident":"x"},` + sound + `],"outages":[{"id":"x","reported":true,"members":["a"]}]}`,
			`outage "x" was named after no component`},
	} {
		var s Snapshot
		require.NoError(t, json.Unmarshal([]byte(test.state), &s), test.state)
		d := New(&config, "")
		require.Equal(t, []string{test.said}, d.Restore(&s), test.state)
		require.Empty(t, d.Restore(d.Snapshot()), "what is saved from then on is sound: %s", test.state)
		d.Tick(0, 0)
		found := d.Beat(beatOf("sound", second))
		require.Len(t, found, 1, test.state)
		require.Equal(t, CameBack, found[0].Change, test.state)
		require.Equal(t, "i", found[0].Gap.IncidentID, test.state)
	}
}

func TestRestoreOfAnImpossibleClock(t *testing.T) {
	d := New(&config, "")
	require.Equal(t, []string{"the clock showed an impossible time and begins anew; all components are learned again"},
		d.Restore(&Snapshot{Clock: ClockSnapshot{Now: never}, Components: []ComponentSnapshot{{Key: "a", State: Up}}}))
	require.Empty(t, d.Tick(0, 0))
	require.Equal(t, FirstHeard, d.Beat(beatOf("a", 0))[0].Change)
}

// TestOutagesWithOneID has two open outages with one id. A member that comes back leaves the one that it is in.
func TestOutagesWithOneID(t *testing.T) {
	var s Snapshot
	require.NoError(t, json.Unmarshal([]byte(`{"components":[{"key":"a","state":"silent","incident":"x","beats":1},{"key":"b","state":"silent","incident":"x","beats":1}],
		"outages":[{"id":"x","reported":true,"key":"a","members":["a"]},{"id":"x","reported":true,"key":"b","members":["b"]}]}`), &s))
	d := New(&config, "")
	require.Empty(t, d.Restore(&s))
	d.Tick(0, 0)
	found := d.Beat(beatOf("b", second))
	require.Len(t, found, 2)
	require.Equal(t, "b", found[1].Key)
	require.False(t, found[1].Gap.Open)
	require.Len(t, d.outages, 1)
}
