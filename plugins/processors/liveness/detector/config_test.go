package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestQuantileReachesPhi is about every φ that can be configured, also where a probability is next to nothing.
func TestQuantileReachesPhi(t *testing.T) {
	i := intervals{N: enoughIntervals, Mean: 10, Variance: 1}
	for _, phi := range []float64{0.6, 1, 3, 8, 16, 17, 50, 299} {
		a := Adaptive{Phi: phi}
		a.quantile()
		at := time.Duration((i.Mean + a.z*i.deviation()) * float64(time.Second))
		require.InEpsilon(t, phi, i.phi(at), 1e-6)
	}
}
