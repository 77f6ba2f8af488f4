package main

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/influxdata/toml"
	"github.com/influxdata/toml/ast"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/markdown"
)

// TestReadmesShowTheSample compares the configuration in each plugin's README with its sample.conf.
func TestReadmesShowTheSample(t *testing.T) {
	for _, r := range roles {
		content := readme(t, r.section, r.plugin)
		require.Contains(t, content, "```toml @sample.conf\n"+r.create().SampleConfig()+"```\n", r.id())
		require.Equal(t, 1, strings.Count(content, "```toml @sample.conf\n"), r.id())
	}
}

// TestSampleHasAllOptions requires that the sample, with every commented option enabled, holds each option of the
// plugin exactly once, those of its nested tables in at least one of them, and no other.
func TestSampleHasAllOptions(t *testing.T) {
	switchedOff := regexp.MustCompile(`(?m)^  # `)
	for _, r := range roles {
		plugin := r.create()
		root, err := toml.Parse([]byte(switchedOff.ReplaceAllString(plugin.SampleConfig(), "  ")))
		require.NoError(t, err, "%s: an option may be named twice", r.id())
		tables := root.Fields[r.section].(*ast.Table).Fields[r.plugin].([]*ast.Table)
		require.Len(t, tables, 1)
		requireAllOptions(t, reflect.TypeOf(plugin).Elem(), tables, r.id())
	}
}

// requireAllOptions compares the options of a plugin, or of its nested tables of one name, with those in a file.
func requireAllOptions(t *testing.T, plugin reflect.Type, tables []*ast.Table, name string) {
	t.Helper()
	written := map[string]bool{}
	nested := map[string][]*ast.Table{}
	for _, table := range tables {
		for option, node := range table.Fields {
			written[option] = true
			if list, ok := node.([]*ast.Table); ok {
				nested[option] = append(nested[option], list...)
			}
		}
	}
	known := options(reflect.New(plugin).Interface())
	var keys []string
	for _, field := range known {
		switch {
		case key(field) == "phi": // which only files of former versions have
		case strings.Contains(name, ".watch") && len(field.Index) > 1 && !written[key(field)]: // as those of the plugin
		case strings.Contains(name, ".watch.") && !written[key(field)]:
		default:
			keys = append(keys, key(field))
		}
	}
	require.ElementsMatch(t, keys, slices.Collect(maps.Keys(written)), name)
	for _, field := range known {
		if list := nested[key(field)]; list != nil {
			requireAllOptions(t, tableType(field.Type), list, name+"."+key(field))
		}
	}
}

func readme(t *testing.T, section, plugin string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "plugins", section, plugin, "README.md"))
	require.NoError(t, err)
	return string(content)
}

// TestCommandsInDocs parses every telegraf-chembus command line in the documentation.
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
			parsed, err := parseArguments(strings.Fields(args))
			if !errors.Is(err, flag.ErrHelp) {
				require.NoError(t, err, "%s says %q", file, command)
			}
			checked[parsed.verb] = true
		}
	}
	require.Contains(t, checked, "sample")
	require.Contains(t, checked, "check")
}
