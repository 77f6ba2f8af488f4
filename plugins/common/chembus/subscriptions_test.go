package chembus

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSubscriptionsFollowWhoListens(t *testing.T) {
	s := newSubscriptions("CAPABILITY_GAP", "probe.1")
	require.False(t, s.Covers("CAPABILITY_GAP"))

	s.Apply([]byte("\x01CAPABILITY"))
	require.True(t, s.Covers("CAPABILITY_GAP"), "a prefix covers")
	require.False(t, s.Covers("probe.1"))

	s.Apply([]byte("\x01CAPABILITY_GAP"))
	s.Apply([]byte("\x00CAPABILITY"))
	require.True(t, s.Covers("CAPABILITY_GAP"), "one of two left")
	s.Apply([]byte("\x00CAPABILITY_GAP"))
	require.False(t, s.Covers("CAPABILITY_GAP"), "both left")

	s.Apply([]byte("\x01"))
	require.True(t, s.Covers("CAPABILITY_GAP"), "one who listens to everything")
	require.True(t, s.Covers("probe.1"))
}

func TestOwnPrefixesDoNotCount(t *testing.T) {
	const own = "CAPABILITY_GA"
	s := newSubscriptions("CAPABILITY_GAP")
	s.Apply([]byte("\x01" + own))
	require.True(t, s.Covers("CAPABILITY_GAP"))
	require.False(t, s.Covers("CAPABILITY_GAP", own))
	for _, others := range []string{"", "CAPABILITY_G", "CAPABILITY_GAP"} {
		s.Apply([]byte("\x01" + others))
		require.True(t, s.Covers("CAPABILITY_GAP", own, "OTHER"), "%q", others)
		s.Apply([]byte("\x00" + others))
		require.False(t, s.Covers("CAPABILITY_GAP", own, "OTHER"), "%q", others)
	}
}

func TestSubscriptionsRememberOnlyWhatMatters(t *testing.T) {
	s := newSubscriptions("CAPABILITY_GAP")
	for n := range 1000 {
		s.Apply(fmt.Appendf(nil, "\x01TOPIC_%d", n))
		s.Apply(fmt.Appendf(nil, "\x01CAPABILITY_GAP_%d", n))
	}
	s.Apply(nil)
	s.Apply([]byte("\x02CAPABILITY_GAP"))
	s.Apply([]byte("CAPABILITY_GAP"))
	require.Empty(t, s.prefixes)
}

func TestSubscriptionsCountAFamily(t *testing.T) {
	const one, two = "probe.6ba7b810-9dad-11d1-80b4-00c04fd430c8", "probe.6ba7b811-9dad-11d1-80b4-00c04fd430c8"
	s := newSubscriptions(one)
	s.Family = "probe."
	s.Apply([]byte("\x01"))
	require.True(t, s.Covers(one))
	require.False(t, s.Has(one), "that is somebody who hears everything")
	for _, message := range []string{one, two, "probe", "probe.", "other", "probe.of." + two[len("probe."):], two + "x"} {
		s.Apply([]byte("\x01" + message))
	}
	require.Equal(t, 2, s.Members)
	require.True(t, s.Has(one))
	s.Apply([]byte("\x00" + two))
	s.Apply([]byte("\x00other"))
	require.Equal(t, 1, s.Members)
	require.True(t, s.Has(one))
	s.Apply([]byte("\x00" + one))
	require.False(t, s.Has(one))
	require.True(t, s.Covers(one))
}
