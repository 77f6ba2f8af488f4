package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/markdown"
)

// TestReadme compares the flags in the README with those of the command, and parses the command lines in it.
func TestReadme(t *testing.T) {
	readme, err := markdown.Read("README.md")
	require.NoError(t, err)
	var help bytes.Buffer
	_, err = parseOptions([]string{"-help"}, &help)
	require.Error(t, err)
	var flags, named []string
	for _, match := range regexp.MustCompile(`(?m)^  (-[a-z-]+)`).FindAllStringSubmatch(help.String(), -1) {
		flags = append(flags, match[1])
	}
	commands := 0
	for _, code := range readme.Commands {
		if name := regexp.MustCompile(`^-[a-z-]+`).FindString(code); name != "" {
			named = append(named, name)
		}
		if args, ours := strings.CutPrefix(code, "bin/chembus-colony "); ours && !strings.HasPrefix(args, "-help") {
			_, err := parseOptions(strings.Fields(args), &help)
			require.NoError(t, err, code)
			commands++
		}
	}
	require.NotZero(t, commands)
	require.Subset(t, flags, named)
	require.Subset(t, named, flags)
}
