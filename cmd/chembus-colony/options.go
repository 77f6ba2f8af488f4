package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const usage = `Usage: chembus-colony [flags]

Runs a ChemBus with a simulated colony. Without -xsub and -xpub it binds the endpoints in the environment
(KLR_CHEM_XSUB and KLR_CHEM_XPUB, else KLR_UMN_XSUB and KLR_UMN_XPUB), else the standard ports.

`

// options is the command line.
type options struct {
	zooids     []colony.Zooid
	xsub, xpub string
	noBus      bool
	listen     bool
	events     []event // ordered by time
	duration   time.Duration
	seed       uint64
}

// event is a scheduled event.
type event struct {
	at    time.Duration // after the start
	kind  kind
	zooid string // for killZooid and reviveZooid
}

type kind string

const (
	killZooid   kind = "kill"
	reviveZooid kind = "revive"
	pauseBus    kind = "pause the bus"
	resumeBus   kind = "resume the bus"
)

// parseOptions reads the command line. If help is requested, it writes the help to out and returns flag.ErrHelp.
func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("chembus-colony", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, without the usage
	flags.Usage = func() {}
	zooids := flags.Int("zooids", 11, "number of zooids: the components of the real colony first, then numbered ones")
	interval := flags.Duration("interval", 10*time.Second, "interval between two beats of a stream")
	jitter := flags.Float64("jitter", 0, "fraction by which each interval varies at random, from 0 to below 1")
	streams := flags.Int("streams", 0, "streams of each zooid; 0: as in the real colony")
	doubleTap := flags.Bool("double-tap", true, "send each stream's first beat twice, as the real emitters do")
	quirks := flags.Bool("quirks", false, "add zooids with unusual names and payloads")
	flags.StringVar(&o.xsub, "xsub", "", "`endpoint` where publishers connect")
	flags.StringVar(&o.xpub, "xpub", "", "`endpoint` where subscribers connect")
	flags.BoolVar(&o.noBus, "no-bus", false, "use a bus that is already running")
	flags.BoolVar(&o.listen, "listen", false, "subscribe to CAPABILITY_GAP and print every message")
	flags.DurationVar(&o.duration, "duration", 0, "exit after this time; 0: run until Ctrl-C")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of all random values")
	flags.Func("kill", "kill a zooid: `NAME@DURATION` after the start; can be repeated", o.zooidEvent(killZooid))
	flags.Func("revive", "revive a killed zooid: `NAME@DURATION` after the start; can be repeated", o.zooidEvent(reviveZooid))
	flags.Func("pause", "pause the bus, as in maintenance: `START+LENGTH`; can be repeated", o.pauseEvents)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case *zooids < 0:
		return o, fmt.Errorf("-zooids %d: use a number from 0", *zooids)
	case *interval <= 0:
		return o, fmt.Errorf("-interval %v: use a duration above 0", *interval)
	case !(*jitter >= 0 && *jitter < 1):
		return o, fmt.Errorf("-jitter %v: use a fraction from 0 to below 1", *jitter)
	case *streams < 0:
		return o, fmt.Errorf("-streams %d: use a number from 0", *streams)
	case o.duration < 0:
		return o, fmt.Errorf("-duration %v: use a duration from 0", o.duration)
	}
	o.zooids = colony.Field(*zooids)
	if *quirks {
		o.zooids = append(o.zooids, quirkyZooids()...)
	}
	for i := range o.zooids {
		z := &o.zooids[i]
		z.Interval, z.Jitter, z.DoubleTap = *interval, *jitter, *doubleTap
		if *streams > 0 {
			z.Streams = *streams
		}
	}
	slices.SortStableFunc(o.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	if err := o.checkEvents(); err != nil {
		return o, err
	}
	return o, o.resolve()
}

func quirkyZooids() []colony.Zooid {
	return []colony.Zooid{
		{Name: "zoóid_日本_🧪", Niche: "größe"},
		{Name: "zooid_8507"}, // the name of a component that was given none, with its pid
		{Name: "integer_clock", Niche: "quirks", Quirks: colony.Quirks{Integers: true}},
		{Name: "missing_keys", Niche: "quirks", Quirks: colony.Quirks{MissingKeys: true}},
		{Name: "not_a_number", Niche: "quirks", Quirks: colony.Quirks{NaN: true}},
	}
}

// resolve sets the endpoints that were not given.
func (o *options) resolve() error {
	var err error
	if o.xsub == "" {
		if o.xsub, err = chembus.PublishEndpoint(""); err != nil {
			return err
		}
	}
	if o.xpub == "" {
		o.xpub, err = chembus.SubscribeEndpoint("")
	}
	return err
}

func (o *options) zooidEvent(k kind) func(string) error {
	return func(value string) error {
		at := strings.LastIndexByte(value, '@')
		if at <= 0 {
			return errors.New("use NAME@DURATION, as in meta_agent@30s")
		}
		after, err := time.ParseDuration(value[at+1:])
		if err != nil || after < 0 {
			return fmt.Errorf("invalid duration %q; use NAME@DURATION, as in meta_agent@30s", value[at+1:])
		}
		o.events = append(o.events, event{at: after, kind: k, zooid: value[:at]})
		return nil
	}
}

func (o *options) pauseEvents(value string) error {
	start, length, _ := strings.Cut(value, "+")
	from, startErr := time.ParseDuration(start)
	long, lengthErr := time.ParseDuration(length)
	if startErr != nil || lengthErr != nil || from < 0 || long <= 0 {
		return errors.New("use START+LENGTH, as in 30s+10s")
	}
	o.events = append(o.events, event{at: from, kind: pauseBus}, event{at: from + long, kind: resumeBus})
	return nil
}

// checkEvents checks that each event is possible at its time.
func (o *options) checkEvents() error {
	running := make(map[string]bool, len(o.zooids))
	for _, z := range o.zooids {
		running[z.Name] = true
	}
	paused := false
	for _, e := range o.events {
		up, known := running[e.zooid]
		switch {
		case e.kind == pauseBus && o.noBus:
			return errors.New("-pause: only the bus of this process can be paused; leave out -no-bus")
		case e.kind == pauseBus && paused:
			return fmt.Errorf("-pause: the bus is already paused at %v; pauses must not overlap", e.at)
		case e.kind == pauseBus, e.kind == resumeBus:
			paused = e.kind == pauseBus
		case !known:
			return fmt.Errorf("-%s: there is no zooid %q; see the names that chembus-colony prints at its start", e.kind, e.zooid)
		case e.kind == killZooid && !up:
			return fmt.Errorf("-kill: %q was killed before %v", e.zooid, e.at)
		case e.kind == reviveZooid && up:
			return fmt.Errorf("-revive: %q is alive at %v; kill it first", e.zooid, e.at)
		default:
			running[e.zooid] = e.kind == reviveZooid
		}
	}
	return nil
}
