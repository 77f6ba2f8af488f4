package chembus

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requirePlainIsRight checks that what is read in the plain way is what the general way reads.
func requirePlainIsRight(t *testing.T, payload string) (plain bool) {
	t.Helper()
	beat, plain := parsePlain(payload)
	if plain {
		expected, reject := parseAny(payload)
		require.Empty(t, reject, payload)
		requireSame(t, expected, beat)
	}
	return plain
}

func TestPlainIsWhatTheEmittersWrite(t *testing.T) {
	require.True(t, requirePlainIsRight(t, onTheWire))
	for _, payload := range []string{
		`{"facts":{"zooid":"a"}}`,
		`{"facts":{"zooid":"a"},"ts":-0.5e-3}`,
		`{"facts":{"zooid":"a","niche":"","uptime_s":0,"processed_count":0},"x":true,"y":false,"z":null,"ts":1e999}`,
		`{"facts":{"zooid":"a","zooid":"b","more":"x"},"ts":1,"ts":2}`,
		`{"facts":{"zooid":"` + strings.Repeat("n", MaxNameLength) + `"}}`,
	} {
		require.True(t, requirePlainIsRight(t, payload), payload)
	}
}

func TestNotPlain(t *testing.T) {
	for _, payload := range []string{
		``, `{`, `{}`, `null`, `[]`, `{"facts":{}}`, `{"facts":{"zooid":""}}`, `{"facts":{"zooid":1}}`, `{"zooid":"a"}`,
		`{"facts":{"zooid":"a"}}x`, `{"facts":{"zooid":"a"}},`, `{"facts":{"zooid":"a"},}`, `{"facts":{"zooid":"a",}}`,
		`{"facts":{"zooid":"a"},"facts":{"niche":"b"}}`, `{"facts":{"zooid":"a"} }`, `{"facts":{"zooid":"\u0061"}}`,
		`{"facts":{"zooid":"é"}}`, "{\"facts\":{\"zooid\":\"a\nb\"}}", `{"facts":{"zooid":"a"},"ts":NaN}`, `{"facts":{"zooid":"a"},"ts":"1"}`,
		`{"facts":{"zooid":"a"},"ts":01}`, `{"facts":{"zooid":"a"},"ts":1.}`, `{"facts":{"zooid":"a"},"ts":.5}`,
		`{"facts":{"zooid":"a"},"ts":-}`, `{"facts":{"zooid":"a"},"ts":1e}`, `{"facts":{"zooid":"a"},"ts":+1}`,
		`{"facts":{"zooid":"a"},"x":nul}`, `{"facts":{"zooid":"a"},"x":[1]}`, `{"facts":{"zooid":"a"},"x"}`, `{"facts":{"zooid":"a"},"x":}`,
		`{"facts":{"zooid":"` + strings.Repeat("n", MaxNameLength+1) + `"}}`,
		`{"facts":{"zooid":"a","niche":"` + strings.Repeat("n", MaxNameLength+1) + `"}}`,
	} {
		_, plain := parsePlain(payload)
		require.False(t, plain, payload)
	}
}

// damaged returns a heartbeat of which some bytes were changed, lost or repeated.
func damaged(random *rand.Rand) string {
	const pieces = "{}[]\",:.-+eE0123456789 \\nulltruefalse\x00\x7f\xff"
	damaged := []byte(onTheWire)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(damaged))
		switch random.IntN(3) {
		case 0:
			damaged[at] = pieces[random.IntN(len(pieces))]
		case 1:
			damaged = append(damaged[:at], damaged[at+1:]...)
		case 2:
			end := min(at+random.IntN(30), len(damaged))
			damaged = append(damaged[:end:end], damaged[at:]...)
		}
	}
	return string(damaged)
}

// Whatever becomes of a payload on its way: the plain way never reads anything else than the general way.
func TestDamagedPayloadsAreReadAlike(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 100_000 {
		if requirePlainIsRight(t, damaged(random)) {
			plain++
		}
	}
	require.Greater(t, plain, 1000)
}
