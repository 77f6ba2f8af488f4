package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSteppedTime(t *testing.T) {
	var s SteppedTime
	at := time.Unix(1_000_000, 0)
	for _, step := range []struct{ pause, want time.Duration }{
		{time.Hour, 0}, // the first step begins it
		{time.Second, time.Second},
		{0, time.Second},
		{time.Hour, 4 * time.Second}, // it stood still
		{2 * time.Second, 6 * time.Second},
	} {
		at = at.Add(step.pause)
		s.Step(at, 3*time.Second)
		require.Equal(t, step.want, s.Elapsed)
	}
}
