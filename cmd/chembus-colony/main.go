// Command chembus-colony runs a ChemBus with a simulated colony on it, for demos, tests and load.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the command line until the context ends or the duration is over, and returns the exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "chembus-colony: %v\n", err)
		return exitUsage
	}
	if err := run(ctx, o, &lines{out: stdout}); err != nil {
		status, advice := exitFailed, ""
		switch {
		case errors.Is(err, zmq.EADDRINUSE):
			advice = "; if a bus runs there, publish to it with -no-bus, else choose other endpoints with -xsub and -xpub"
		case errors.Is(err, zmq.Errno(syscall.EINVAL)), errors.Is(err, zmq.EPROTONOSUPPORT):
			status, advice = exitUsage, "; as an endpoint use tcp://HOST:PORT or ipc://PATH"
		}
		fmt.Fprintf(stderr, "chembus-colony: %s%s\n", strings.ReplaceAll(err.Error(), "\n", "; "), advice)
		return status
	}
	return exitOK
}
