package liveness

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

// TestHeartbeatsWithoutTheTagOfIdentity has the operator mistake the name of the tag.
func TestHeartbeatsWithoutTheTagOfIdentity(t *testing.T) {
	r := start(t, "")
	r.Identity = []string{"name", "host"}
	require.Empty(t, r.Live(0, 3, "a", "b"))
	require.Len(t, r.log.Warnings(), 1, "it is logged once")
	require.Contains(t, r.log.Warnings()[0], `lacks a tag that identity = ["name", "host"] names`)
}

// TestOtherIdentityAfterARestart has the operator add a tag to identity: no component beats under the old names any more, and
// that is no silence.
func TestOtherIdentityAfterARestart(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	found := first.Live(0, 10, "a", "b", "c")
	require.Contains(t, found, "a up")
	found = first.Live(11, 20, "a", "b")
	require.Contains(t, found, "c silent")
	first.Kill()

	second := start(t, file, func(l *Liveness) { l.Identity = []string{"zooid", "host"} })
	found = second.Live(21, 60, "a", "b")
	require.Contains(t, found, "a retired")
	require.Contains(t, found, "a up")
	closed := 0
	for _, line := range found {
		require.NotRegexp(t, " silent$| true$", line)
		if strings.HasSuffix(line, " false") {
			closed++
		}
	}
	require.Equal(t, 3, closed, "the gap of c is, and two reports repeat it")
}

// TestAdaptiveBesideAnOverride has a component beat less often than max_threshold, under an override that says so.
func TestAdaptiveBesideAnOverride(t *testing.T) {
	threshold := config.Duration(15 * time.Minute)
	r := start(t, "", func(l *Liveness) {
		l.Adaptive = true
		l.Overrides = []*Override{{Zooid: []string{"rare"}, Threshold: &threshold}}
	})
	for at := 0; at <= 4*3600; at += 2 {
		if at%300 == 0 {
			require.NotContains(t, r.Beat("rare", float64(at)), "rare silent")
		}
		require.NotContains(t, r.Tick(float64(at)), "rare silent")
	}
	require.Greater(t, r.buses.all[0].detector.Now(), 3*time.Hour)
}
