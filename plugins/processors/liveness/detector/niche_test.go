package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// byNiche has a shorter and a longer threshold for two niches.
func byNiche() *Config {
	c := config
	rules := map[string]*Rule{}
	for niche, threshold := range map[string]time.Duration{"": 30 * second, "short": 5 * second, "long": 60 * second} {
		r := *config.Rule("", "")
		r.Threshold, r.LateAfter = threshold, threshold
		rules[niche] = &r
	}
	c.Rule = func(_, niche string) *Rule {
		if r := rules[niche]; r != nil {
			return r
		}
		return rules[""]
	}
	return &c
}

// thresholds lets a component beat with a niche each second, and returns its threshold after each beat. It restarts in
// between.
func thresholds(t *testing.T, c *Config, d **Detector, from, to time.Duration, niche string) (found []time.Duration) {
	for at := from; at <= to; at += second {
		(*d).Tick(0, at)
		b := beatOf("a", at)
		b.Niche = niche
		(*d).Beat(b)
		*d = restarted(t, c, *d)
		found = append(found, (*d).components["a"].threshold)
	}
	return found
}

func TestShorterThresholdOfANicheAppliesLater(t *testing.T) {
	c := byNiche()
	d := New(c, "")
	found := thresholds(t, c, &d, 0, 40*second, "short")
	for at, threshold := range found {
		want := 30 * second
		if at > 30 {
			want = 5 * second
		}
		require.Equal(t, want, threshold, "at %d", at)
	}
	require.Equal(t, []time.Duration{60 * second}, thresholds(t, c, &d, 41*second, 41*second, "long"), "a longer one at once")
	require.Equal(t, []time.Duration{60 * second}, thresholds(t, c, &d, 42*second, 42*second, "any"))
	require.NotContains(t, thresholds(t, c, &d, 43*second, 43*second, "short"), 5*second)
}

// TestForgedNiche has somebody send beats of a component with another niche, which has a shorter threshold.
func TestForgedNiche(t *testing.T) {
	c := byNiche()
	d := New(c, "")
	for at := time.Duration(0); at < 300*second; at += second {
		for _, f := range d.Tick(0, at) {
			require.NotEqual(t, WentSilent, f.Change, "at %v", at)
		}
		switch {
		case at%(10*second) == 0:
			b := beatOf("a", at)
			b.Niche = "own"
			d.Beat(b)
		case at%(10*second) == second:
			b := beatOf("a", at)
			b.Niche = "short"
			d.Beat(b)
		}
	}
}
