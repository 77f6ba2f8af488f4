package liveness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// TestPhiOfFormerVersions keeps an option that was replaced: it goes on to work, and says what replaced it.
func TestPhiOfFormerVersions(t *testing.T) {
	l := standard()
	log := &testutil.CaptureLogger{}
	l.Log = log
	l.Phi = new(8.0)
	require.NoError(t, l.Init())
	require.Len(t, log.Warnings(), 1)
	require.Contains(t, log.Warnings()[0], "mistakes_per_year (100) has replaced it")
}

// TestStateWithIntervalsOfFormerVersions says once that the rhythms are learned again, where that matters.
func TestStateWithIntervalsOfFormerVersions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "liveness-v1.json"))
	require.NoError(t, err)
	for _, adaptive := range []bool{false, true} {
		l := standard()
		log := &testutil.CaptureLogger{}
		l.Log, l.Adaptive = log, adaptive
		require.NoError(t, l.Init())
		require.NoError(t, l.SetState(string(text)))
		require.Equal(t, adaptive, len(log.Messages()) == 1, fmt.Sprint(log.Messages()))
		require.Empty(t, log.Errors())
	}
}
