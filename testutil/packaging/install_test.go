package packaging

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/markdown"
)

// The version that is built, as git describe says it, and as the package has it.
const (
	version        = "v1.2.3-4-gabc1234"
	packageVersion = "1.2.3+4.gabc1234"
)

const (
	program = "/usr/bin/telegraf-chembus"
	dropIn  = "/etc/telegraf/telegraf.d/chembus.conf"
	options = "/etc/telegraf-chembus/chembus.conf"
	state   = "/var/lib/telegraf-chembus"
	fleet   = "/usr/share/doc/telegraf-chembus/fleet"

	dashboards = "/usr/share/doc/telegraf-chembus/dashboards"
)

// installFirst installs where Telegraf is not installed (unless it is on this machine), runs Telegraf with what
// was installed, and purges.
func installFirst(t *testing.T, deb string) {
	before := listing(t)
	install(t, deb)

	requireCommand(t, "inputs.chembus: ok\nprocessors.liveness: ok\noutputs.chembus: ok\noutputs.liveness: ok\n", program, "check", "-config", options)
	requireCommand(t, "telegraf-chembus "+version+" (", program, "version")
	requireContent(t, dropIn, filepath.Join(root, "sample.conf"))
	for _, file := range []string{"edge.conf", "central.conf", "streams.sh"} {
		requireContent(t, filepath.Join(fleet, file), filepath.Join(root, "cmd", "telegraf-chembus", "fleet", file))
	}
	for _, file := range []string{"alerts.yml", "flux.json", "influxql.json", "prometheus.json"} {
		requireContent(t, filepath.Join(dashboards, file), filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", file))
	}
	requireNoDeadLinks(t, filepath.Join(filepath.Dir(dashboards), "README.md"))
	requireNoDeadLinks(t, filepath.Join(dashboards, "README.md"))
	requireContent(t, "/usr/share/bash-completion/completions/telegraf-chembus", filepath.Join(root, ".packaging", "telegraf-chembus.bash"))
	require.FileExists(t, "/usr/share/man/man1/telegraf-chembus.1.gz")
	requireOwnedByTelegraf(t, state, 0o700)

	monitor(t)
	requireOwnedByTelegraf(t, filepath.Join(state, "liveness.json"), 0o600)
	requireOwnedByTelegraf(t, filepath.Join(state, "output.json"), 0o600)

	dpkg(t, "--install", deb) // an upgrade, as far as the scripts can tell
	require.FileExists(t, filepath.Join(state, "liveness.json"), "an upgrade keeps the state")
	dpkg(t, "--purge", "telegraf-chembus")
	requireSame(t, before, listing(t))
}

// installSecond installs beside Telegraf, and removes and purges with the operator's changes in the files.
func installSecond(t *testing.T, deb string) {
	prepareTelegraf(t)
	before := listing(t)
	install(t, deb)
	requireOwnedByTelegraf(t, state, 0o700)

	appendTo(t, options, "[[outputs.no_such]]\n")
	output, err := command(program, "input").CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, "^E! "+options+`:\d+: unknown table`, string(output), "the plugins read the installed file")
	appendTo(t, dropIn, "# by the operator\n")

	dpkg(t, "--remove", "telegraf-chembus")
	require.NoFileExists(t, program)
	require.NoFileExists(t, dropIn, "Telegraf does not start with it")
	require.FileExists(t, options)

	dpkg(t, "--install", deb)
	for file, change := range map[string]string{dropIn: "# by the operator\n", options: "[[outputs.no_such]]\n"} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(content), change), "%s is as the operator left it", file)
	}
	dpkg(t, "--purge", "telegraf-chembus")
	requireSame(t, before, listing(t))
}

// prepareTelegraf makes what Telegraf's own package would have, unless it is there.
func prepareTelegraf(t *testing.T) {
	t.Helper()
	if _, err := user.Lookup("telegraf"); err != nil {
		run(t, "groupadd", "--system", "telegraf")
		run(t, "useradd", "--system", "--no-create-home", "--home-dir", "/etc/telegraf", "--shell", "/bin/false", "--gid", "telegraf", "telegraf")
		t.Cleanup(func() { run(t, "userdel", "telegraf") })
	}
	if _, err := os.Stat("/etc/telegraf"); err != nil {
		require.NoError(t, os.MkdirAll("/etc/telegraf/telegraf.d", 0o755))
		require.NoError(t, os.WriteFile("/etc/telegraf/telegraf.d/other.conf", []byte("[[inputs.mem]]\n"), 0o644))
		t.Cleanup(func() { require.NoError(t, os.RemoveAll("/etc/telegraf")) })
	}
}

// install installs, and purges should the test not come to that.
func install(t *testing.T, deb string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			dpkg(t, "--purge", "telegraf-chembus")
		}
	})
	dpkg(t, "--install", deb)
}

// command makes a command as an administrator has it.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}
	return cmd
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		path = name
	}
	output, err := command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, output)
	return string(output)
}

func dpkg(t *testing.T, args ...string) {
	t.Helper()
	t.Logf("dpkg %s\n%s", strings.Join(args, " "), run(t, "dpkg", args...))
}

func requireCommand(t *testing.T, start string, name string, args ...string) {
	t.Helper()
	require.True(t, strings.HasPrefix(run(t, name, args...), start), "%s %v", name, args)
}

func requireContent(t *testing.T, file, like string) {
	t.Helper()
	want, err := os.ReadFile(like)
	require.NoError(t, err)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(content), file)
}

// requireNoDeadLinks requires that a document links to nothing that is not there, unless it is on the web.
func requireNoDeadLinks(t *testing.T, file string) {
	t.Helper()
	document, err := markdown.Read(file)
	require.NoError(t, err)
	require.NotEmpty(t, document.Links)
	for _, link := range document.Links {
		path, _, _ := strings.Cut(link, "#")
		if !strings.HasPrefix(link, "https://") && path != "" {
			require.FileExists(t, filepath.Join(filepath.Dir(file), path), "%s links to %q", file, link)
		}
	}
}

// telegrafUser returns the numbers of the user that Telegraf runs as.
func telegrafUser(t *testing.T) (uid, gid uint32) {
	t.Helper()
	u, err := user.Lookup("telegraf")
	require.NoError(t, err)
	number := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 10, 32)
		require.NoError(t, err)
		return uint32(n)
	}
	return number(u.Uid), number(u.Gid)
}

func requireOwnedByTelegraf(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	uid, gid := telegrafUser(t)
	stat := info.Sys().(*syscall.Stat_t)
	require.Equal(t, [...]uint32{uid, gid}, [...]uint32{stat.Uid, stat.Gid}, file)
	require.Equal(t, mode, info.Mode().Perm(), file)
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
