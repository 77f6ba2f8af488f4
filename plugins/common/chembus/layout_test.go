package chembus

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireLayoutsAreRight checks that payloads that are read one after the other are read as the general way reads them.
func requireLayoutsAreRight(t *testing.T, p *HeartbeatParser, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		expected, expectedReject := parseAny(payload)
		beat, reject := p.Parse(payload)
		require.Equal(t, expectedReject, reject, payload)
		if reject == "" {
			requireSame(t, expected, beat)
		}
	}
}

// laidOut reports whether a payload is read by a layout that is remembered.
func laidOut(p *HeartbeatParser, payload string) bool {
	for i := range p.layouts {
		if _, ok := p.layouts[i].parse(payload); ok {
			return true
		}
	}
	return false
}

func TestBeatsOfOneLayoutAreReadByIt(t *testing.T) {
	beat := func(zooid string, uptime float64, count int, ts string) string {
		return fmt.Sprintf(`{"signal":"HEARTBEAT","facts":{"zooid":%q,"niche":"n","more":%q,"uptime_s":%v,"processed_count":%d},"ts":%s,"x":"y"}`,
			zooid, zooid, uptime, count, ts)
	}
	runtime := func(ts string) string {
		return `{"facts":{"zooid":"b","ts":` + ts + `,"schema":1,"incidents_handled":4},"ts":` + ts + `}`
	}
	p := new(HeartbeatParser)
	require.False(t, laidOut(p, beat("a", 1, 2, "3.5")))
	requireLayoutsAreRight(t, p, beat("a", 1, 2, "3.5"), runtime("1"))
	for _, payload := range []string{
		beat("a", 1, 2, "3.5"), beat("another", 2.5, 17, "-1e300"), beat("a", 1e10, -1, "1e999"), runtime("1795446803.8781514"),
	} {
		require.True(t, laidOut(p, payload), payload)
		requireLayoutsAreRight(t, p, payload)
	}
	for _, payload := range []string{
		"", beat("", 1, 2, "3"), beat("é", 1, 2, "3"), beat(strings.Repeat("n", MaxNameLength+1), 1, 2, "3"), beat("a", 1, 2, "NaN"), beat("a", 1, 2, "01"),
		beat("a", 1, 2, `"3"`), beat("a", 1, 2, "3") + " ", strings.TrimSuffix(beat("a", 1, 2, "3"), "}"), strings.Replace(beat("a", 1, 2, "3"), "y", "z", 1),
	} {
		require.False(t, laidOut(p, payload), payload)
		requireLayoutsAreRight(t, p, payload)
	}
}

func TestFewLayoutsAreRemembered(t *testing.T) {
	p := new(HeartbeatParser)
	long := `{"facts":{"zooid":"a"},"x":"` + strings.Repeat("x", maxLayoutLength) + `"}`
	many := `{"facts":{"zooid":"a"` + strings.Repeat(`,"x":1`, maxValues) + `}}`
	requireLayoutsAreRight(t, p, long, many)
	require.False(t, laidOut(p, long))
	require.False(t, laidOut(p, many))

	for i := range 2 * maxLayouts {
		requireLayoutsAreRight(t, p, fmt.Sprintf(`{"facts":{"zooid":"a"},"x%d":1}`, i))
	}
	for i := range 2 * maxLayouts {
		require.Equal(t, i >= maxLayouts, laidOut(p, fmt.Sprintf(`{"facts":{"zooid":"a"},"x%d":1}`, i)), i)
	}
}

// Whatever becomes of a payload on its way: no layout reads it as anything else than the general way.
func TestDamagedPayloadsAreReadAlikeByLayouts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	p := new(HeartbeatParser)
	for range 20_000 {
		requireLayoutsAreRight(t, p, onTheWire, damaged(random))
	}
}

func TestDecimalsAreRoundedAsByStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200_000 {
		digits := 1 + random.IntN(maxDecimals)
		mantissa := random.Uint64() % powersOfTen[digits]
		places := random.IntN(maxDecimals + 1)
		expected, err := strconv.ParseFloat(fmt.Sprintf("%de-%d", mantissa, places), 64)
		require.NoError(t, err)
		require.Equal(t, expected, decimal(mantissa, places), "%d / 10^%d", mantissa, places)
	}
	for mantissa, expected := range map[uint64]float64{
		1<<53 + 1: 1 << 53, 1<<53 + 3: 1<<53 + 4, 1<<54 + 2: 1 << 54, 1<<54 + 3: 1<<54 + 4, // half way: to the even one
	} {
		require.Equal(t, expected, decimal(mantissa, 0))
	}
}
