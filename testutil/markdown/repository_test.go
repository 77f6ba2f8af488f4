package markdown

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
				require.Contains(t, all, target, "%s links to %q, of which only Markdown has parts", file, link)
				require.Contains(t, all[target].Anchors, u.Fragment, "%s links to %q", file, link)
			}
		}
	}
	require.Greater(t, local, 10, "links to follow")
}

// TestMakeTargets looks up every target and every variable of a "make …" that is named anywhere.
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
	for _, target := range regexp.MustCompile(`(?m)^([a-z]+):.*## `).FindAllStringSubmatch(makefile, -1) {
		if target[1] != "help" {
			require.Contains(t, named, target[1], "no Markdown names this target")
		}
	}
}
