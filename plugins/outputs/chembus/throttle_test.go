package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThrottle(t *testing.T) {
	var trouble throttle
	start := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1},
		{0, 0},
		{30 * time.Second, 0},
		{time.Minute - 1, 0},
		{time.Minute, 4},
		{time.Minute + 1, 0},
		{2 * time.Minute, 2},
		{time.Hour, 1},
	} {
		require.Equal(t, step.want, trouble.Add(start.Add(step.after)), "after %v", step.after)
	}
}
