// Command telegraf-chembus runs the ChemBus plugins as external plugins of Telegraf (execd).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
)

const usage = `telegraf-chembus runs the ChemBus plugins as external plugins of Telegraf (execd).

Usage:

  telegraf-chembus input|processor|output|page [-config FILE]
        run one plugin with the options of its table in FILE; FILE may hold the
        tables of all; page serves the status page
  telegraf-chembus -config FILE
        run the plugin that FILE configures
  telegraf-chembus watch [-config FILE] [-once] [-json] [-interval 1s]
        show the state of all components in the terminal, with the options in
        FILE and without Telegraf; -json prints a line of JSON at every
        interval; -once prints the table, or a line of JSON, and exits with
        status 0 if all components are up or silent on purpose, 1 if one is
        silent, flapping or was never seen, 2 if that is not known
  telegraf-chembus wait NAME... [-timeout 60s] [-config FILE]
        wait until each of the components NAME has sent a heartbeat; exit with
        status 1 at the timeout and name those that have not
  telegraf-chembus check [-config FILE]
        check every table in FILE, the tables against each other, and the
        folders of state files
  telegraf-chembus sample
        print all tables with every option and its default
  telegraf-chembus version (or --version)
        print the version

Without -config, FILE is the file named by TELEGRAF_CHEMBUS_CONFIG, or if that
is not set /etc/telegraf-chembus/chembus.conf. If there is no file, input,
processor, output, page, watch and wait use the defaults.

Metrics are read from stdin and written to stdout in line protocol. An input
gathers at every newline on stdin and exits when stdin is closed. Log lines
begin with Telegraf's log level (E! W! I! D!). Under Telegraf, a plugin that
cannot start says why once a minute, tries again, and reads stdin meanwhile.
Exit status: 0 success, 1 invalid configuration or failure, 2 invalid usage.
`

// The exit statuses.
const (
	exitDone = iota
	exitFailed
	exitUsage
)

// exitNotKnown is the exit status of watch -once if it cannot say who is up, whatever the reason.
const exitNotKnown = 2

// The interval between two snapshots of a live watch.
const (
	defaultInterval = time.Second
	minInterval     = 100 * time.Millisecond
)

// defaultWait is the timeout of a wait without -timeout.
const defaultWait = time.Minute

// The configuration file used without -config: the one that the environment variable names (none if it is empty), else
// the standard one if it exists. So Telegraf's drop-in needs no change.
const (
	configVariable = "TELEGRAF_CHEMBUS_CONFIG"
	standardFile   = "/etc/telegraf-chembus/chembus.conf"
)

// version is set with -ldflags.
var version string

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the command line and returns the exit status.
func command(args []string, stdout, stderr io.Writer) int {
	a, err := parseArguments(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		fmt.Fprint(stderr, logLine(telegraf.Error, "", err.Error()+"; see telegraf-chembus -h"))
		return exitUsage
	}

	var failures []error
	failed := exitFailed
	switch a.verb {
	case "sample":
		for i, r := range built() {
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			fmt.Fprint(stdout, r.create().SampleConfig())
		}
	case "version":
		fmt.Fprintln(stdout, versionLine())
	case "wait":
		if err := runWait(a, stderr); err != nil {
			failures = []error{err}
		}
	case "check":
		failures = check(a.file, a.file == unnamedFile(standardFile), stdout, stderr)
	case "watch":
		status, err := runWatch(a, stdout, stderr)
		if err == nil {
			return status
		}
		failures = []error{err}
		if a.once {
			failed = exitNotKnown
		}
	default:
		if err := runRole(a.verb, a.file, stdout, stderr); err != nil {
			failures = []error{err}
		}
	}
	for _, err := range failures {
		if isReported(err) {
			continue
		}
		fmt.Fprint(stderr, logLine(telegraf.Error, "", err.Error()))
	}
	if len(failures) > 0 {
		return failed
	}
	return exitDone
}

// arguments is the command line.
type arguments struct {
	verb       string // empty: run the plugin that the file configures
	file       string // from -config or the environment
	once, json bool   // of watch

	interval time.Duration // of watch, between two snapshots

	names   []string // of the components to wait for
	timeout time.Duration
}

// parseArguments reads the command line. The error is flag.ErrHelp if help was requested.
func parseArguments(args []string) (arguments, error) {
	var a arguments
	if len(args) > 0 && (args[0] == "--version" || args[0] == "-version") {
		args = append([]string{"version"}, args[1:]...)
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		a.verb, args = args[0], args[1:]
	}
	_, isRole := roleNamed(a.verb)
	needsFile := a.verb == "check" || a.verb == "" && len(args) > 0
	findsFile := isRole || slices.Contains([]string{"watch", "wait", "check"}, a.verb)
	switch {
	case a.verb == "help":
		return a, flag.ErrHelp
	case len(args) == 0 && a.verb == "":
		return a, errors.New("no command given")
	case !findsFile && !needsFile && a.verb != "sample" && a.verb != "version":
		return a, fmt.Errorf("unknown command %q", a.verb)
	}

	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // it prints several lines
	if findsFile || needsFile {
		flags.Func("config", "", func(name string) error {
			if a.file = name; name == "" {
				return errors.New("the file name is empty")
			}
			return nil
		})
	}
	if a.verb == "watch" {
		flags.BoolVar(&a.once, "once", false, "")
		flags.BoolVar(&a.json, "json", false, "")
		flags.DurationVar(&a.interval, "interval", defaultInterval, "")
	}
	if a.verb == "wait" {
		flags.DurationVar(&a.timeout, "timeout", defaultWait, "")
	}
	operands, err := parseFlags(flags, args)
	if err != nil {
		return a, err
	}
	if a.verb == "watch" && a.interval < minInterval {
		return a, fmt.Errorf("-interval is %v; use %v or longer", a.interval, minInterval)
	}
	if a.verb == "wait" {
		a.names, operands = operands, nil
		if err := a.checkWait(); err != nil {
			return a, err
		}
	}
	if len(operands) > 0 {
		hint := ""
		if findsFile {
			hint = "; use -config FILE to name a file"
		}
		return a, fmt.Errorf("unexpected argument %q%s", operands[0], hint)
	}
	if findsFile && a.file == "" {
		a.file = unnamedFile(standardFile)
	}
	switch {
	case !needsFile || a.file != "":
	case findsFile:
		return a, fmt.Errorf("no file to check: use -config FILE, set %s or create %s", configVariable, standardFile)
	default:
		return a, errors.New("-config FILE is missing")
	}
	return a, nil
}

// parseFlags sets the flags and returns all other arguments. Flags may come after those, too; what comes after "--" is no
// flag.
func parseFlags(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if parsed := len(args) - len(rest); parsed > 0 && args[parsed-1] == "--" {
			return append(operands, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
	return operands, nil
}

// unnamedFile returns the file to use without -config; empty if there is none.
func unnamedFile(standard string) string {
	if file, set := os.LookupEnv(configVariable); set {
		return file
	}
	// Any other error is reported when the file is read.
	if _, err := os.Stat(standard); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return standard
}

func versionLine() string {
	v := version
	if v == "" {
		v = "devel"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
	}
	return fmt.Sprintf("telegraf-chembus %s (%s, %s)", v, libzmqVersion(), runtime.Version())
}
