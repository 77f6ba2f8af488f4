package glob

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGlobs(t *testing.T) {
	g, err := Compile("a*", "b")
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false}, []bool{g.Match("ab"), g.Match("b"), g.Match("bc")})
	require.False(t, g.Empty())

	g, err = Compile()
	require.NoError(t, err)
	require.True(t, g.Empty())
	require.False(t, g.Match(""))

	_, err = Compile("a*", "b[*")
	require.ErrorContains(t, err, `"b[*" is no glob`)
}

// TestGlobsThatTheirLibraryCannotMatch has names that make it panic.
func TestGlobsThatTheirLibraryCannotMatch(t *testing.T) {
	for pattern, name := range map[string]string{"{x?{": "x?", "*a{,,": "💩a", "]*éx{": "💩éx"} {
		g, err := Compile(pattern, "b*")
		require.NoError(t, err)
		require.Panics(t, func() { g.filter.Match(name) }, "the library has been mended")
		require.False(t, g.Match(name))
		require.True(t, g.Match("bc"))
	}
}
