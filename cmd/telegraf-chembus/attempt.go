package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/logger"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// retryInterval is how long after a plugin could not start it is tried again.
	retryInterval = 2 * time.Second
	// logGrace is how long the log may take at the end.
	logGrace = time.Second
)

// reported is an error that is in the log already.
type reported struct{ error }

// runRole runs the plugin of the role, or without a role the only plugin in the file.
func runRole(name, file string, stdout, stderr io.Writer) error {
	r, ok := roleNamed(name)
	if !ok {
		t, err := onlyTable(file)
		if err != nil {
			return err
		}
		r = t.role
	}
	dropped := func(lines int) string {
		return logLine(telegraf.Warn, r.id(), fmt.Sprintf("%d lines of this log were dropped, because Telegraf did not read it; "+
			"find out whether it was stopped or has no CPU time", lines))
	}
	queue := logging.NewQueue(stderr, dropped)
	defer queue.Close(logGrace)
	log := lineLog{source: r.id(), info: queue, warn: queue}
	if r.section == "outputs" {
		// Telegraf logs an output's stderr as errors and its stdout as information.
		infos := logging.NewQueue(stdout, dropped)
		defer infos.Close(logGrace)
		log.info = infos
	}
	uninstall, err := log.install()
	if err != nil {
		return err
	}
	defer uninstall()
	if r.name != "page" && os.Getenv("GOMAXPROCS") == "" {
		// With several, Go's monitor thread looks fifty times after each call that waits in libzmq or for stdin whether
		// its processor has to be given away. On a quiet bus that takes more CPU than all the rest.
		runtime.GOMAXPROCS(1)
	}
	err = runUntilTold(r, file, &log)
	if err != nil && !isReported(err) { // by the queue: whoever writes it elsewhere may wait for Telegraf
		_, _ = io.WriteString(queue, logLine(telegraf.Error, "", err.Error()))
		err = reported{err}
	}
	return err
}

// runUntilTold runs a plugin until Telegraf ends it. If it cannot start, because of a bad option or a folder that cannot
// be used, this process stays and drains stdin: Telegraf would restart it again and again, with several lines in its log
// each time, and one for each metric that it cannot write meanwhile. Without Telegraf that is the end.
func runUntilTold(r role, file string, lines *lineLog) error {
	log := logger.New("", "", "")
	out := os.Stdout
	grace, consequence := stdinGrace, "No gap is published"
	forward := io.Discard
	switch r.name {
	case "input":
		grace, consequence = 0, "Nothing is received from the bus"
	case "processor":
		forward, consequence = out, "Metrics pass unchanged, and no component is judged,"
	case "page":
		consequence = "No status page is served"
	}
	stdin, err := pollable(os.Stdin)
	if err != nil {
		return err
	}
	defer stdin.Close()
	f := newFeed(stdin, forward, grace, log)
	defer func() {
		f.Close()
		os.Stdout = out
	}()
	if r.section != "outputs" {
		os.Stdout = os.Stderr // other output must not mix with the metrics
	}
	var c complaint
	for first := true; ; first = false {
		if !first {
			lines.Hold() // what was logged before is logged again only if it starts
		}
		err := attempt(r, file, f, func() {
			f.Run()
			lines.Release()
			if !first {
				log.Info("Running, since what kept it from that is gone")
			}
		}, out, log)
		lines.Drop()
		if f.Running() || !f.Supervised() {
			return err
		}
		if c.Due(err.Error(), time.Now()) {
			log.Errorf("%s. %s until that is corrected; it is tried again every %v",
				strings.TrimPrefix(err.Error(), r.id()+": "), consequence, retryInterval)
		}
		f.Drain()
		select {
		case <-f.ended:
			return reported{err}
		case <-time.After(retryInterval):
		}
	}
}

// attempt loads the role's plugin and runs it. It calls started when it runs.
func attempt(r role, file string, f *feed, started func(), out io.Writer, log telegraf.Logger) error {
	t, err := tableFor(r, file)
	if err != nil {
		return err
	}
	plugin, problems := t.load()
	if len(problems) > 0 {
		return problems[0]
	}
	for _, p := range t.unsetVariables() {
		log.Warn(p.Error())
	}
	log.Infof("Starting %s", versionLine())
	err = run(plugin, f.pipe, started, out, log)
	if err != nil {
		return fmt.Errorf("%s: %w", r.id(), err)
	}
	return nil
}

// A complaint limits how often an error that lasts is logged: when it appears, and then once a minute.
type complaint struct {
	text  string
	limit logging.RateLimit
}

// Due reports whether the error is to be logged now.
func (c *complaint) Due(text string, now time.Time) bool {
	if text != c.text {
		c.text, c.limit = text, logging.RateLimit{}
	}
	return c.limit.Allow(now)
}

// isReported reports whether an error is in the log already.
func isReported(err error) bool {
	var r reported
	return errors.As(err, &r)
}
