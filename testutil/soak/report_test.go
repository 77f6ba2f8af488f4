package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReportExplainsWhatIsUndecidable(t *testing.T) {
	printed := func(verdicts ...verdict) string {
		r := report{}
		for _, v := range verdicts {
			r.findings = append(r.findings, finding{verdict: v, zooid: "z"})
		}
		var out bytes.Buffer
		r.print(&out)
		return out.String()
	}
	require.NotContains(t, printed(handled), "% are undecidable")
	require.Contains(t, printed(handled, nothing, noTimeToDeliver, handled), "25.0 % are undecidable. "+undecidableWhy)

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	words := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "\n> ", " ")), " ") }
	require.Contains(t, words(string(readme)), words(undecidableWhy))
}
