package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRestart stops a server and starts it again on the same port.
func TestRestart(t *testing.T) {
	s, err := Start(t.Context(), Binary(t, "../.."), t.TempDir())
	require.NoError(t, err)
	info, err := s.Info()
	require.NoError(t, err)
	require.True(t, info.JetStream)
	require.Regexp(t, `^2\.15\.`, info.Version)

	address := s.Address
	require.NoError(t, s.Stop())
	_, err = s.Info()
	require.Error(t, err)
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, address, s.Address)
	_, err = s.Info()
	require.NoError(t, err)
	require.NoError(t, s.Stop())
}
