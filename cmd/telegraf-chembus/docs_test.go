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
		readme, err := os.ReadFile(filepath.Join("..", "..", "plugins", r.section, r.plugin, "README.md"))
		require.NoError(t, err)
		require.Contains(t, string(readme), "```toml @sample.conf\n"+r.create().SampleConfig()+"```\n", r.id())
	}
}
