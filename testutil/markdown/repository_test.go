package markdown

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/influxdata/toml"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// documents reads all Markdown of this repository, by path.
func documents(t *testing.T) map[string]*Document {
	t.Helper()
	files, err := Files(root)
	require.NoError(t, err)
	all := map[string]*Document{}
	for _, file := range files {
		all[file], err = Read(file)
		require.NoError(t, err, file)
	}
	require.Contains(t, all, filepath.Join(root, "README.md"))
	require.Contains(t, all, filepath.Join(root, ".github", "CONTRIBUTING.md"))
	return all
}

// TestLinks follows every link to another place in this repository.
func TestLinks(t *testing.T) {
	all := documents(t)
	local := 0
	for file, d := range all {
		require.Empty(t, d.Broken, "%s refers to links that are not defined", file)
		for _, link := range d.Links {
			u, err := url.Parse(link)
			require.NoError(t, err, "%s links to %q", file, link)
			if u.Scheme != "" {
				require.Contains(t, []string{"http", "https"}, u.Scheme, "%s links to %q", file, link)
				require.NotEmpty(t, u.Host, "%s links to %q", file, link)
				continue
			}
			local++
			target := file
			switch {
			case strings.HasPrefix(u.Path, "/"):
				target = filepath.Join(root, u.Path)
			case u.Path != "":
				target = filepath.Join(filepath.Dir(file), u.Path)
			}
			_, err = os.Stat(target)
			require.NoError(t, err, "%s links to %q", file, link)
			if u.Fragment != "" {
				require.Contains(t, all, target, "%s links to %q, and only Markdown files have anchors", file, link)
				require.Contains(t, all[target].Anchors, u.Fragment, "%s links to %q", file, link)
			}
		}
	}
	require.Greater(t, local, 10, "links that were followed")
}

// TestBlocks requires that each example in JSON or TOML is some.
func TestBlocks(t *testing.T) {
	checked := map[string]int{}
	for file, d := range documents(t) {
		for _, block := range d.Blocks {
			checked[block.Language]++
			switch block.Language {
			case "json":
				require.True(t, json.Valid([]byte(block.Text)), "%s has this block:\n%s", file, block.Text)
			case "toml":
				_, err := toml.Parse([]byte(block.Text))
				require.NoError(t, err, "%s has this block:\n%s", file, block.Text)
			}
		}
	}
	require.Greater(t, checked["json"], 2)
	require.Greater(t, checked["toml"], 20)
}

// TestNamesInCode looks up each Go file and each test that the documentation names.
func TestNamesInCode(t *testing.T) {
	files, tests := map[string]bool{}, map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		files[filepath.Base(path)] = true
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(content, -1) {
			tests[string(m[1])] = true
		}
		return err
	}))
	named := 0
	for file, d := range documents(t) {
		for _, command := range d.Commands {
			for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(command, -1) {
				named++
				prefix := func(test string) bool { return strings.HasPrefix(test, name) }
				require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(tests)), prefix), "%s names %s", file, name)
			}
			if name := filepath.Base(command); regexp.MustCompile(`^\w+\.go$`).MatchString(name) {
				named++
				require.True(t, files[name], "%s names %s", file, name)
			}
		}
	}
	require.Greater(t, named, 20)
}

// TestMakeTargets looks up every target and variable of each "make …" in the documentation, and requires that
// every target is documented.
func TestMakeTargets(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	makefile := string(content)
	named := map[string]bool{}
	for file, d := range documents(t) {
		for _, command := range d.Commands {
			args, isMake := strings.CutPrefix(command, "make ")
			if !isMake {
				continue
			}
			for _, arg := range strings.Fields(args) {
				variable, _, isVariable := strings.Cut(arg, "=")
				if isVariable {
					require.Contains(t, makefile, "$("+variable+")", "%s says %q", file, command)
					continue
				}
				require.Regexp(t, `(?m)^`+regexp.QuoteMeta(arg)+`:.*## `, makefile, "%s says %q", file, command)
				named[arg] = true
			}
		}
	}
	for _, target := range regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(makefile, -1) {
		if target[1] != "help" {
			require.Contains(t, named, target[1], "no Markdown names this target")
		}
	}
}

// TestReadmeShowsTheDropIn compares the configuration in the README with the drop-in, without its comments.
func TestReadmeShowsTheDropIn(t *testing.T) {
	dropIn, err := os.ReadFile(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	var want []string
	for line := range strings.Lines(string(dropIn)) {
		if line = strings.TrimRight(line, "\n"); line != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			want = append(want, line)
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, block, found := strings.Cut(string(readme), "```toml\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	require.Equal(t, want, strings.FieldsFunc(strings.ReplaceAll(block, "\n\n", "\n"), func(r rune) bool { return r == '\n' }))
}
