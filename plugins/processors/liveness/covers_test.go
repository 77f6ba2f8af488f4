package liveness

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/influxdata/telegraf/testutil"
)

func TestCovers(t *testing.T) {
	for _, test := range []struct {
		earlier, later string
		want           bool
	}{
		{"", "", true},
		{"", "a", true},
		{"a", "", false},
		{"*", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a b", false},
		{"b a", "a b", true},
		{"a*", "a", true},
		{"a*", "ab* a", true},
		{"a*", "*a", false},
		{"a?", "ab", true},
		{"a?", "aé", false}, // the library fails to match some of these
		{"a?", "a??", false},
		{"a?", "a*", false},
		{"a?", "a?", true},
		{"a?*", "a*b", false}, // neither is this
		{"*a*", "*ba*", true},
		{"*a???b*", "a*b*bXb", false}, // holds for stars of 0, 1 and 3 characters
		{"[!x]*", "?*", false},
		{"[ab]", "a", false}, // it does, but that is not worked out
		{"[ab] c", "[ab] c", true},
		{"{a,b} x*", "{a,b}", false}, // alternatives are such only beside a wildcard
		{"*é", "*?é", true},
	} {
		require.Equal(t, test.want, covers(strings.Fields(test.earlier), strings.Fields(test.later)), "%q by %q", test.later, test.earlier)
	}
}

// TestCoversIsNeverWrong tries globs on each other and on names: who warns wrongly makes somebody delete what
// is needed. The library of the filters has its own idea of some globs; these are matched as globs should be.
func TestCoversIsNeverWrong(t *testing.T) {
	matches := func(t *rapid.T, globs []string, name string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			matched, err := path.Match(glob, name)
			if err != nil {
				t.Skip("no glob")
			}
			return matched
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		globs := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("aab**?é[]")), 1, 6, -1), 1, 3)
		earlier, later := globs.Draw(t, "earlier"), globs.Draw(t, "later")
		if !covers(earlier, later) {
			return
		}
		for range 50 {
			name := rapid.StringOfN(rapid.RuneFrom([]rune("abxé")), 0, 6, -1).Draw(t, "name")
			if matches(t, later, name) && !matches(t, earlier, name) {
				t.Fatalf("%q matches %q, and not %q", name, later, earlier)
			}
		}
	})
}

func TestOverrideThatNeverMatchesIsWarnedOf(t *testing.T) {
	log := &testutil.CaptureLogger{}
	l := standard()
	l.Log = log
	l.Overrides = []*Override{
		{Zooid: []string{"audio_*"}},
		{Niche: []string{"voice"}},
		{Zooid: []string{"audio_io"}, Niche: []string{"voice"}},
		{Zooid: []string{"video_*"}, Niche: []string{"voice", "vision"}},
	}
	require.NoError(t, l.Init())
	require.Equal(t, []string{"W! Override number 3 can never match: number 1 comes before it and takes all of it"}, logged(log))
}
