package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
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
	zooids        []colony.Zooid
	xsub, xpub    string
	noBus         bool
	listen        bool
	historian     bool
	interoception time.Duration // threshold of the other monitor; 0: there is none
	marker        string        // of a maintenance
	events        []event       // ordered by time
	duration      time.Duration
	seed          uint64
}

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
	voice := flags.Bool("voice", false, "add the voice services, which announce their start and their stop")
	runtime := flags.Bool("runtime", false, "add to each zooid a stream in the dialect of ZooidRuntime, which goes on after the kill signal")
	flags.BoolVar(&o.historian, "historian", false, "subscribe to everything and print what the historian could not read")
	flags.DurationVar(&o.interoception, "interoception", 0, "run another monitor, which publishes component_silent after this silence; 0: none")
	flags.StringVar(&o.marker, "maintenance-file", "", "marker `file` that exists during a maintenance; empty: none")
	flags.DurationVar(&o.duration, "duration", 0, "exit after this time; 0: run until Ctrl-C")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of all random values")
	flags.Func("kill", "kill a zooid: `NAME@DURATION` after the start; can be repeated", o.zooidEvent(killZooid))
	flags.Func("revive", "revive a killed zooid: `NAME@DURATION` after the start; can be repeated", o.zooidEvent(reviveZooid))
	flags.Func("stop", "stop a zooid as SIGTERM does, announced by the voice services: `NAME@DURATION` after the start; can be repeated",
		o.zooidEvent(stopZooid))
	flags.Func("kill-signal", "publish governance.kill, which ends all heartbeats, `DURATION` after the start; can be repeated", o.killSignalEvent)
	flags.Func("pause", "pause the bus, as the older proxy does in maintenance: `START+LENGTH`; can be repeated", o.spanEvents(pauseBus, resumeBus))
	flags.Func("maintenance", "announce a maintenance, stop up to nine zooids and start them again: `START+LENGTH`; can be repeated",
		o.spanEvents(suspend, resume))
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
	case o.interoception < 0:
		return o, fmt.Errorf("-interoception %v: use a duration from 0", o.interoception)
	case o.duration < 0:
		return o, fmt.Errorf("-duration %v: use a duration from 0", o.duration)
	}
	o.zooids = colony.Field(*zooids)
	if *quirks {
		o.zooids = append(o.zooids, quirkyZooids()...)
	}
	if *voice {
		o.zooids = append(o.zooids, colony.VoiceServices()...)
	}
	for i := range o.zooids {
		z := &o.zooids[i]
		if *runtime {
			z.RuntimeStreams = 1
		}
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
