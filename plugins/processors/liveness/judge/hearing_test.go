package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHearingForward(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name  string
		steps []time.Duration // of the sensor's clock
		want  time.Duration   // of the judge's
	}{
		{"nothing was heard", nil, 0},
		{"it starts where the sensor is", []time.Duration{1000 * s}, 0},
		{"it goes along", []time.Duration{5 * s, 6 * s, 6*s + 1, 8 * s}, 3 * s},
		{"a step of blind_after counts", []time.Duration{0, 3 * s}, 3 * s},
		{"a longer one adds nothing", []time.Duration{0, 3*s + 1}, 0},
		{"nor does it later", []time.Duration{0, 1 * s, 60 * s, 61 * s}, 2 * s},
		{"the same again adds nothing", []time.Duration{0, 1 * s, 1 * s, 1 * s}, 1 * s},
		{"a beat from before adds nothing, and takes nothing away", []time.Duration{0, 2 * s, 1 * s, 3 * s}, 3 * s},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := hearing{blindAfter: 3 * s}
			for _, observed := range test.steps {
				h.Forward(observed)
			}
			require.Equal(t, test.want, h.Now)
		})
	}
}

func TestHearingAt(t *testing.T) {
	const s = time.Second
	h := hearing{blindAfter: 3 * s}
	h.Forward(100 * s) // 0
	h.Forward(102 * s) // 2
	h.Forward(150 * s) // 2: a jump
	h.Forward(151 * s) // 3
	h.Forward(190 * s) // 3: a jump
	h.Forward(192 * s) // 5
	for _, test := range []struct{ observed, want time.Duration }{
		{200 * s, 5 * s}, // not heard of yet
		{192 * s, 5 * s},
		{191 * s, 4 * s},
		{190 * s, 3 * s},
		{189 * s, 3 * s}, // in a jump
		{151*s + 1, 3 * s},
		{151 * s, 3 * s},
		{150*s + s/2, 2*s + s/2},
		{150 * s, 2 * s},
		{120 * s, 2 * s}, // in the other jump
		{102 * s, 2 * s},
		{101 * s, 1 * s},
		{100 * s, 0},
		{99 * s, 0}, // before the judge's time
		{0, 0},
	} {
		require.Equal(t, test.want, h.At(test.observed), "at %v", test.observed)
	}

	h.Restart(0)      // 5
	h.Forward(2 * s)  // 7
	h.Forward(90 * s) // 7: a jump
	for _, test := range []struct{ observed, want time.Duration }{
		{90 * s, 7 * s},
		{50 * s, 7 * s},
		{1 * s, 6 * s},
		{0, 5 * s},
	} {
		require.Equal(t, test.want, h.At(test.observed), "at %v after the restart", test.observed)
	}
}

func TestHearingForgetsOldJumps(t *testing.T) {
	const s = time.Second
	h := hearing{blindAfter: 3 * s}
	for i := range 10 * maxJumps {
		h.Forward(time.Duration(i) * 10 * s)
		h.Forward(time.Duration(i)*10*s + s)
	}
	require.LessOrEqual(t, len(h.Jumps), maxJumps)
	require.Equal(t, 10*maxJumps*s, h.Now)
	require.Equal(t, h.Now-5*s, h.At(time.Duration(10*maxJumps-5)*10*s))
	oldest := h.At(0)
	require.Greater(t, oldest, time.Duration(0), "too late rather than too early")
	require.Less(t, oldest, h.Now)
}

func TestHearingSteadySince(t *testing.T) {
	const s = time.Second
	h := hearing{blindAfter: 3 * s}
	h.Forward(0)
	h.Forward(2 * s)
	require.True(t, h.SteadySince(1*s))
	h.Forward(60 * s)
	require.False(t, h.SteadySince(1*s))
	require.False(t, h.SteadySince(2*s), "the jump came then or just after")
	h.Forward(61 * s)
	require.True(t, h.SteadySince(3*s))
	h.Restart(0)
	require.False(t, h.SteadySince(3*s))
}
