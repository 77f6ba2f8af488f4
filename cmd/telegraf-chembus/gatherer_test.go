package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// readerFunc is a reader that is a function.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMetricsGatherOnABusyStdin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comes := 0
		g := &gatherer{stdin: readerFunc(func([]byte) (int, error) { return comes, nil })}
		waits := func(bytes int) bool {
			comes = bytes
			start := time.Now()
			n, err := g.Read(nil)
			require.NoError(t, err)
			require.Equal(t, bytes, n)
			return time.Since(start) > 0
		}
		require.False(t, waits(100))
		require.False(t, waits(100), "the second shows that it is busy")
		require.True(t, waits(100))
		require.True(t, waits(enough))
		require.False(t, waits(100), "enough came at a time")
		require.True(t, waits(100))
		time.Sleep(2 * busyGap)
		require.True(t, waits(100), "what comes now is not known yet")
		require.False(t, waits(100), "it is quiet")
	})
}
