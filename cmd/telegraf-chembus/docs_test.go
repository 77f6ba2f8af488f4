package main

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/influxdata/toml"
	tomlast "github.com/influxdata/toml/ast"
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
		tables := root.Fields[r.section].(*tomlast.Table).Fields[r.plugin].([]*tomlast.Table)
		require.Len(t, tables, 1)
		requireAllOptions(t, reflect.TypeOf(plugin).Elem(), tables, r.id())
	}
}

// requireAllOptions compares the options of a plugin, or of its nested tables of one name, with those in a file.
func requireAllOptions(t *testing.T, plugin reflect.Type, tables []*tomlast.Table, name string) {
	t.Helper()
	written := map[string]bool{}
	nested := map[string][]*tomlast.Table{}
	for _, table := range tables {
		for option, node := range table.Fields {
			written[option] = true
			if list, ok := node.([]*tomlast.Table); ok {
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

// theirs are log lines of Telegraf that the troubleshooting guide quotes.
var theirs = []string{"executable file not found in $PATH", "undefined but requested", "E! [outputs.execd] stderr: W!", "file already closed"}

// TestTroubleshootingQuotesTheLog looks up each log line in bold in the code. "…" stands for what the code fills in.
func TestTroubleshootingQuotesTheLog(t *testing.T) {
	guide, err := os.ReadFile("TROUBLESHOOTING.md")
	require.NoError(t, err)
	texts := textsInCode(t, "../../cmd/telegraf-chembus", "../../plugins")
	quotes := 0
	for _, bold := range regexp.MustCompile(`(?s)\*\*(.*?)\*\*`).FindAllStringSubmatch(string(guide), -1) {
		for _, span := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(bold[1], -1) {
			quote := strings.Join(strings.Fields(span[1]), " ")
			if !strings.Contains(quote, " ") || strings.HasPrefix(quote, "telegraf-chembus ") || slices.Contains(theirs, quote) {
				continue
			}
			quotes++
			pattern := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(quote), "…", ".*"))
			require.True(t, slices.ContainsFunc(texts, pattern.MatchString), "no code logs %q", quote)
		}
	}
	require.Greater(t, quotes, 15)
}

// textsInCode returns the texts in the Go files of some folders that are no tests, each sum of texts as one.
func textsInCode(t *testing.T, folders ...string) (texts []string) {
	t.Helper()
	visit := func(node ast.Node) bool {
		expression, _ := node.(ast.Expr)
		text, ok := textOf(expression)
		if ok {
			texts = append(texts, text)
		}
		return !ok
	}
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				ast.Inspect(file, visit)
			}
			return err
		}))
	}
	return texts
}

// textOf returns what a text, or a sum of texts, says.
func textOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := textOf(e.X)
		right, also := textOf(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

// TestMetricsInDocs requires that the READMEs of the plugins name all fields and tags of the metrics in the examples.
func TestMetricsInDocs(t *testing.T) {
	documented := map[string]string{} // what is written about a metric
	for _, r := range roles {
		_, text, found := strings.Cut(readme(t, r.section, r.plugin), "\n## Metrics\n")
		if !found {
			continue // the page has none
		}
		text, _, _ = strings.Cut(text, "\n## ")
		for _, item := range strings.Split(text, "\n- ")[1:] {
			documented[regexp.MustCompile(`^\w+`).FindString(item)] += item
		}
	}
	documented["liveness_gap"] += documented["liveness"] // as it says
	files, err := markdown.Files("../..")
	require.NoError(t, err)
	examples := map[string]int{}
	for _, file := range files {
		document, err := markdown.Read(file)
		require.NoError(t, err)
		for _, block := range document.Blocks {
			for line := range strings.Lines(block.Text) {
				if !regexp.MustCompile(`^(liveness|liveness_gap|chembus_\w+),`).MatchString(line) {
					continue
				}
				m, err := newLineReader(strings.NewReader(line)).Next()
				require.NoError(t, err, "%s: %s", file, line)
				examples[m.Name()]++
				names := slices.Concat(slices.Collect(maps.Keys(m.Tags())), slices.Collect(maps.Keys(m.Fields())))
				for _, name := range names {
					family := regexp.MustCompile(`^(rejected|facts|text)_.*`).FindStringSubmatch(name)
					switch {
					case name == "host" || name == "endpoint":
					case family != nil:
						require.Regexp(t, `\b`+family[1]+`_(REASON|KEY)\b`, documented[m.Name()], "%s has %s", file, name)
					default:
						require.Regexp(t, `\b`+name+`\b`, documented[m.Name()], "%s has %s", file, name)
					}
				}
			}
		}
	}
	for _, name := range []string{"liveness", "liveness_gap", "chembus_heartbeat", "chembus_tick", "chembus_bus", "chembus_signal"} {
		require.Contains(t, examples, name)
	}
}
