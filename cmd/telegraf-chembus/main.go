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
	"strings"

	"github.com/influxdata/telegraf"
	"github.com/pebbe/zmq4"
)

const usage = `Liveness monitoring of a ChemBus: three plugins for Telegraf's execd.

  telegraf-chembus input|processor|output [-config FILE]
        run one plugin with its table in FILE, which may hold all three;
        without FILE, the one that TELEGRAF_CHEMBUS_CONFIG names; without
        either, /etc/telegraf-chembus/chembus.conf if there is one, else with
        its defaults
  telegraf-chembus -config FILE
        run the plugin that FILE holds
  telegraf-chembus watch [-config FILE] [-once] [-json]
        show in the terminal who is alive, by the options in FILE (which is
        found as above), without Telegraf; -once prints the table and ends,
        -json prints it as a line of JSON: once, or every second
  telegraf-chembus check [-config FILE]
        check every table in FILE (which is found as above), and whether they
        fit together
  telegraf-chembus sample
        print all tables with every option and its default
  telegraf-chembus version

Metrics are read from stdin and written to stdout as line protocol; an input
gathers at every newline on stdin and ends with it. Telegraf's log levels
(E! W! I! D!) begin the lines on stderr.
Exit status: 0 done, 1 bad configuration or failure, 2 bad usage.
`

// The exit statuses.
const (
	exitDone = iota
	exitFailed
	exitUsage
)

// The configuration file of a role, a watch or a check that is started without -config, so that Telegraf's drop-in can
// stay as it is: the one that the variable names (empty: none), else the standard one if it exists.
const (
	configVariable = "TELEGRAF_CHEMBUS_CONFIG"
	standardFile   = "/etc/telegraf-chembus/chembus.conf"
)

// version is set by the linker.
var version string

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command does what the arguments say and returns the exit status.
func command(args []string, stdout, stderr io.Writer) int {
	a, err := parseArguments(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		fmt.Fprint(stderr, logLine(telegraf.Error, "", err.Error()+"; telegraf-chembus -h shows the usage"))
		return exitUsage
	}

	var failures []error
	switch a.verb {
	case "sample":
		for i, r := range roles {
			if i > 0 {
				fmt.Fprintln(stdout)
			}
			fmt.Fprint(stdout, r.create().SampleConfig())
		}
	case "version":
		fmt.Fprintln(stdout, versionLine())
	case "check":
		failures = check(a.file, stdout, stderr)
	case "watch":
		if err := runWatch(a, stdout, stderr); err != nil {
			failures = []error{err}
		}
	default:
		if err := runRole(a.verb, a.file, stdout, stderr); err != nil {
			failures = []error{err}
		}
	}
	for _, err := range failures {
		fmt.Fprint(stderr, logLine(telegraf.Error, "", err.Error()))
	}
	if len(failures) > 0 {
		return exitFailed
	}
	return exitDone
}

// arguments is the command line.
type arguments struct {
	verb       string // empty when the file alone says what to run
	file       string // that -config names, or the environment
	once, json bool   // how to watch
}

// parseArguments reads the command line. The error is flag.ErrHelp when the usage was asked for.
func parseArguments(args []string) (arguments, error) {
	var a arguments
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		a.verb, args = args[0], args[1:]
	}
	_, isRole := roleNamed(a.verb)
	needsFile := a.verb == "check" || a.verb == "" && len(args) > 0
	findsFile := isRole || a.verb == "watch" || a.verb == "check"
	switch {
	case a.verb == "help":
		return a, flag.ErrHelp
	case len(args) == 0 && a.verb == "":
		return a, errors.New("no command given")
	case !findsFile && !needsFile && a.verb != "sample" && a.verb != "version":
		return a, fmt.Errorf("%q is no command", a.verb)
	}

	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // its report has many lines
	if findsFile || needsFile {
		flags.Func("config", "", func(name string) error {
			if a.file = name; name == "" {
				return errors.New("it names no file")
			}
			return nil
		})
	}
	if a.verb == "watch" {
		flags.BoolVar(&a.once, "once", false, "")
		flags.BoolVar(&a.json, "json", false, "")
	}
	switch err := flags.Parse(args); {
	case err != nil:
		return a, err
	case flags.NArg() > 0:
		hint := ""
		if findsFile {
			hint = "; a file is named with -config FILE"
		}
		return a, fmt.Errorf("unexpected argument %q%s", flags.Arg(0), hint)
	}
	if findsFile && a.file == "" {
		a.file = unnamedFile(standardFile)
	}
	switch {
	case !needsFile || a.file != "":
	case findsFile:
		return a, fmt.Errorf("no file to check; name one with -config FILE, for neither %s nor %s is one", configVariable, standardFile)
	default:
		return a, errors.New("-config FILE is missing")
	}
	return a, nil
}

// unnamedFile returns the file of a role that is started without -config; empty if there is none.
func unnamedFile(standard string) string {
	if file, set := os.LookupEnv(configVariable); set {
		return file
	}
	// One that exists and cannot be read is an error, which reading it reports.
	if _, err := os.Stat(standard); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return standard
}

// runRole runs the plugin of the role, or without one the only plugin in the file.
func runRole(name, file string, stdout, stderr io.Writer) error {
	var t table
	var err error
	if r, ok := roleNamed(name); ok {
		t, err = tableFor(r, file)
	} else {
		t, err = onlyTable(file)
	}
	if err != nil {
		return err
	}

	log := lineLog{source: t.role.id(), info: stderr, warn: stderr}
	if t.role.name == "output" {
		// Telegraf reports whatever an output writes to stderr as an error, and stdout as information.
		log.info = stdout
	}
	uninstall, err := log.install()
	if err != nil {
		return err
	}
	defer uninstall()
	plugin, problems := t.load()
	if len(problems) > 0 {
		return problems[0]
	}
	if err := run(plugin); err != nil {
		return fmt.Errorf("%s: %w", t.role.id(), err)
	}
	return nil
}

// check loads every table in the file, prints which are good and returns all that is wrong.
func check(file string, stdout, stderr io.Writer) []error {
	log := lineLog{info: stderr, warn: stderr}
	uninstall, err := log.install()
	if err != nil {
		return []error{err}
	}
	defer uninstall()
	tables, problems := readTables(file)
	for _, t := range tables {
		_, bad := t.load()
		if len(bad) == 0 {
			fmt.Fprintf(stdout, "%s: ok\n", t.role.id())
		}
		problems = append(problems, bad...)
	}
	var failures []error
	for _, p := range inOrder(problems) {
		failures = append(failures, p)
	}
	return failures
}

func versionLine() string {
	v := version
	if v == "" {
		v = "devel"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
	}
	major, minor, patch := zmq4.Version()
	return fmt.Sprintf("telegraf-chembus %s (libzmq %d.%d.%d, %s)", v, major, minor, patch, runtime.Version())
}
