package packaging

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVersion gives the packages versions that Debian accepts and sorts as the commits are.
func TestVersion(t *testing.T) {
	_, err := exec.LookPath("dpkg")
	isDebian := err == nil
	last := ""
	for _, test := range []struct{ described, want string }{
		{"v0.0.0-123-gabc1234-dirty", "0.0.0+123.gabc1234.dirty"},
		{"devel", "0.0.0+devel"},
		{"v1.2.3-rc1", "1.2.3-rc1"},
		{"v1.2.3-rc1-4-gabc1234", "1.2.3-rc1+4.gabc1234"},
		{"v1.2.3", "1.2.3"},
		{"v1.2.3-dirty", "1.2.3+0.dirty"},
		{"v1.2.3-4-gabc1234", "1.2.3+4.gabc1234"},
		{"v1.2.3-4-gabc1234-dirty", "1.2.3+4.gabc1234.dirty"},
		{"v1.2.3-5-g0000000", "1.2.3+5.g0000000"},
		{"v1.2.4-rc1", "1.2.4-rc1"},
	} {
		output, err := exec.Command(filepath.Join(root, ".packaging", "version"), test.described).CombinedOutput()
		require.NoError(t, err, "%s", output)
		require.Equal(t, test.want+"\n", string(output), test.described)
		if !isDebian {
			continue
		}
		// nfpm writes the hyphen before a prerelease so that it sorts before the release.
		debian := strings.Replace(test.want, "-", "~", 1)
		require.NoError(t, exec.Command("dpkg", "--validate-version", debian).Run(), debian)
		if last != "" {
			require.NoError(t, exec.Command("dpkg", "--compare-versions", last, "lt", debian).Run(), "%s after %s", debian, last)
		}
		last = debian
	}
}
