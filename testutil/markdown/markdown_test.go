package markdown

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.md")
	require.NoError(t, os.WriteFile(file, []byte("# A `name`: _and_ Größe\n\n## Twice\n\n## Twice\n\n"+
		"A [link](b.md#x), ![an image](c.png), [another][defined], [a third][missing], `make all`.\n\n"+
		"| `in a\ttable` |\n|---|\n\n```shell\nsudo one \\\n  -flag > file && two | three\n```\n\n```toml\n[no](link)\n```\n\n"+
		"[defined]: https://example.org\n"), 0o600))
	d, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, &Document{
		Links:    []string{"b.md#x", "c.png", "https://example.org"},
		Broken:   []string{"[a third][missing]"},
		Anchors:  map[string]bool{"a-name-and-größe": true, "twice": true, "twice-1": true},
		Blocks:   []Block{{"shell", "sudo one \\\n  -flag > file && two | three\n"}, {"toml", "[no](link)\n"}},
		Commands: []string{"name", "make all", "in a table", "one -flag", "file", "two", "three"},
	}, d)
}
