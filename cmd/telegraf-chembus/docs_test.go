package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/markdown"
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

// TestCommandsInDocs parses every command line that the documentation names.
func TestCommandsInDocs(t *testing.T) {
	files, err := markdown.Files("../..")
	require.NoError(t, err)
	checked := map[string]bool{}
	for _, file := range files {
		document, err := markdown.Read(file)
		require.NoError(t, err, file)
		for _, command := range document.Commands {
			args, ours := strings.CutPrefix(command, "telegraf-chembus ")
			if !ours {
				continue
			}
			verb, _, err := parseArguments(strings.Fields(args))
			if !errors.Is(err, flag.ErrHelp) {
				require.NoError(t, err, "%s says %q", file, command)
			}
			checked[verb] = true
		}
	}
	require.Contains(t, checked, "sample")
	require.Contains(t, checked, "check")
}
