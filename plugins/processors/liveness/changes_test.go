package liveness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// logged returns what was logged since the last call.
func logged(log *testutil.CaptureLogger) []string {
	var texts []string
	for _, e := range log.Messages() {
		texts = append(texts, string(e.Level)+"! "+e.Text)
	}
	log.Clear()
	return texts
}

func named(name string) func() string {
	return func() string { return name }
}

func TestChangesAreOneLineEach(t *testing.T) {
	log := &testutil.CaptureLogger{}
	changes := changeLog{log: log}
	changes.Flush()
	require.Empty(t, logged(log))

	for i := range maxNamed + 3 {
		changes.Add(detector.FirstHeard, named(fmt.Sprintf("%q", fmt.Sprint("z", i))))
	}
	changes.Add(detector.WentSilent, named(`"[odd\" name]"`))
	changes.Add(detector.Report, nil)
	changes.Add(detector.StateChanged, nil)
	require.Empty(t, logged(log), "until the flush")
	changes.Flush()
	require.Equal(t, []string{
		`I! Up, heard for the first time: "z0", "z1", "z2", "z3", "z4", "z5", "z6", "z7", "z8", "z9", "z10", "z11", "z12", ` +
			`"z13", "z14", "z15", "z16", "z17", "z18", "z19" and 3 more`,
		`I! Silent: "[odd\" name]"`,
	}, logged(log))
	changes.Flush()
	require.Empty(t, logged(log), "each change is logged once")
}

func TestChangesOfOneComponentKeepTheirOrder(t *testing.T) {
	log := &testutil.CaptureLogger{}
	changes := changeLog{log: log}
	for _, change := range []detector.Change{detector.WentSilent, detector.CameBack, detector.WasKilled, detector.CameBack, detector.WentSilent} {
		changes.Add(change, named(`"a"`))
	}
	changes.Flush()
	require.Equal(t, []string{`I! Silent: "a"`, `I! Up again: "a"`, `I! Stopped by the kill signal: "a"`, `I! Up again: "a"`, `I! Silent: "a"`}, logged(log))
}
