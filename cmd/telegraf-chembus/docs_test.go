package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmesShowTheSample compares the configuration in each plugin's README with the one that the
// plugin prints.
func TestReadmesShowTheSample(t *testing.T) {
	for _, r := range roles {
		require.Contains(t, readme(t, r.section, r.plugin), "```toml @sample.conf\n"+r.create().SampleConfig()+"```\n", r.id())
	}
}

func readme(t *testing.T, section, plugin string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "plugins", section, plugin, "README.md"))
	require.NoError(t, err)
	return string(content)
}
