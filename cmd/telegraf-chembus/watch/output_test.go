package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOutputFile reads the state of the output again when it was saved again.
func TestOutputFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output.json")
	f := outputFile{path: path}
	require.Nil(t, f.read(), "there is none")
	write := func(content string, saved time.Time) {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chtimes(path, saved, saved))
	}
	write(`{"version":2,"counts":{"publishing":true,"pending":3}}`, at)
	require.Equal(t, &Output{File: path, Saved: at.UTC(), Publishing: true, Pending: 3}, f.read())
	write(`{"version":2,"counts":{"publishing":false,"pending":0}}`, at.Add(time.Second))
	require.False(t, f.read().Publishing)
	write(`not JSON`, at.Add(2*time.Second))
	require.Nil(t, f.read())
	require.NoError(t, os.Remove(path))
	require.Nil(t, f.read())
	require.Nil(t, (&outputFile{}).read())
}
