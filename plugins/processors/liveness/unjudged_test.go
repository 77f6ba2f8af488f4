package liveness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBusSaysHowManyCannotBeJudged replays holes that swallow the beats of a component.
func TestBusSaysHowManyCannotBeJudged(t *testing.T) {
	r := newReplay(t, "holes_in_phase")
	var said []any
	for _, line := range input(t, "holes_in_phase") {
		m := parse(t, line)
		r.acc.ClearMetrics()
		require.NoError(t, r.Liveness.Add(m, &r.acc))
		for _, m := range r.acc.GetTelegrafMetrics() {
			if m.Name() == busMeasurement {
				n, _ := m.GetField(unjudgedField)
				said = append(said, n)
			}
		}
	}
	require.Equal(t, []any{int64(0), int64(0), int64(0), int64(0), int64(1), int64(1), int64(1), int64(1), int64(0), int64(0)}, said)
}
