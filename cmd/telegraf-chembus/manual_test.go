package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// commandsAndOptions returns all commands and options in the usage.
func commandsAndOptions(t *testing.T) (commands, options []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^  telegraf-chembus ([a-z|]+)`).FindAllStringSubmatch(usage, -1) {
		commands = append(commands, strings.Split(m[1], "|")...)
	}
	for _, m := range regexp.MustCompile(`[ \[](-[a-z]+)`).FindAllStringSubmatch(usage, -1) {
		if !slices.Contains(options, m[1]) {
			options = append(options, m[1])
		}
	}
	require.Greater(t, len(commands), 7)
	require.Greater(t, len(options), 3)
	return commands, options
}

// TestManualHasAllCommands compares the man page of the package with the usage.
func TestManualHasAllCommands(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", ".packaging", "telegraf-chembus.1"))
	require.NoError(t, err)
	text := strings.ReplaceAll(string(page), `\-`, "-")
	commands, options := commandsAndOptions(t)
	for _, word := range append(commands, options...) {
		require.Regexp(t, `\b`+strings.TrimPrefix(word, "-")+`\b`, text)
	}
}

// TestCompletionHasAllCommands lets bash complete every command and option of the usage.
func TestCompletionHasAllCommands(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	complete := func(words ...string) []string {
		script := `source ../../.packaging/telegraf-chembus.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _telegraf_chembus; printf '%s\n' "${COMPREPLY[@]}"`
		output, err := exec.Command(bash, append([]string{"-c", script, "bash", "telegraf-chembus"}, words...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
		return strings.Fields(string(output))
	}
	commands, options := commandsAndOptions(t)
	require.Subset(t, complete(""), commands)
	require.Equal(t, []string{"watch", "wait"}, complete("wa"))
	var offered []string
	for _, command := range commands {
		offered = append(offered, complete(command, "-")...)
	}
	require.Subset(t, offered, options)
	require.Contains(t, complete("check", "-config", "main."), "main.go")
	require.Empty(t, complete("wait", "-timeout", ""))
}
