package telegraf

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Binary returns the path of the Telegraf to test with: that in TELEGRAF, else bin/telegraf in the root of the module. The
// test is skipped under -short, and fails if there is no such file.
func Binary(t testing.TB, root string) string {
	t.Helper()
	process.SkipIfShort(t, "Telegraf")
	binary := os.Getenv("TELEGRAF")
	if binary == "" {
		var err error
		if binary, err = filepath.Abs(filepath.Join(root, "bin", "telegraf")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("no Telegraf to test with: %v; run make telegraf, or set TELEGRAF to its path", err)
	}
	return binary
}
