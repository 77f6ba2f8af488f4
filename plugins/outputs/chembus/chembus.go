// Package chembus is an output of Telegraf that publishes the gaps of processors.liveness as CAPABILITY_GAP on a
// ChemBus. It decides nothing about components: each incident is published until the bus is known to have forwarded it,
// and then never again, however often its level is repeated.
//
//   - outbox.go: what is to be published, and what waits for its ack
//   - deliverylog.go: what consumers are known to have been told
//   - peers.go: who publishes what several monitors of a bus find
//   - investigate.go: which gaps are to be investigated
//   - publisher.go: the connections; dispatch.go decides what goes out on them, and when
package chembus

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/outputs"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

//go:embed sample.conf
var sampleConfig string

const (
	// closeTimeout is how long Close waits for what is pending.
	closeTimeout = 2 * time.Second
	// longestConfirmTimeout bounds confirm_timeout: the first repetition has to come within the 60 s in which consumers
	// remember an incident.
	longestConfirmTimeout  = 30 * time.Second
	shortestConfirmTimeout = 10 * time.Millisecond
	// mostPending bounds max_pending: the incidents that are remembered are a multiple of it.
	mostPending = 1_000_000
)

// ChemBus is the output's configuration and state.
type ChemBus struct {
	PublishEndpoint   string          `toml:"publish_endpoint"`
	SubscribeEndpoint string          `toml:"subscribe_endpoint"`
	Signal            string          `toml:"signal"`
	Ecosystem         string          `toml:"ecosystem"`
	Intensity         float64         `toml:"intensity"`
	ConfirmTimeout    config.Duration `toml:"confirm_timeout"`
	MaxPending        int             `toml:"max_pending"`
	StateFile         string          `toml:"state_file"`

	Investigate         bool   `toml:"investigate"`
	InvestigateSeverity string `toml:"investigate_severity"`
	InvestigateLimit    int    `toml:"investigate_limit"`
	bus.Curve
	Log telegraf.Logger `toml:"-"`

	endpoint          string
	subscribeEndpoint string
	keys              *bus.Keys
	closeTimeout      time.Duration
	deadline          time.Time // of Close; to be read when the loop is stopping
	loop              bus.Loop

	publisher     *publisher
	state         *statefile.File // nil: nothing is kept; this and what follows belongs to the publisher
	saved         totals          // last in the file
	savedRevision uint64
	nextSave      time.Time

	mu                 sync.Mutex // guards what follows
	outbox             *outbox
	otherMonitor       bool // was noticed
	malformed, dropped logging.RateLimit
}

// SampleConfig returns the documented default configuration.
func (*ChemBus) SampleConfig() string {
	return sampleConfig
}

// Init checks the options.
func (c *ChemBus) Init() error {
	var err error
	if c.endpoint, err = bus.PublishEndpoint(c.PublishEndpoint); err != nil {
		return err
	}
	if c.subscribeEndpoint, err = bus.SubscribeEndpoint(c.SubscribeEndpoint); err != nil {
		return err
	}
	if c.keys, err = c.Curve.Load(); err != nil {
		return err
	}
	timeout := time.Duration(c.ConfirmTimeout)
	switch {
	case len(c.Signal) < 2: // it is heard by a prefix
		return &option.Error{
			Name: "signal", Problem: fmt.Sprintf("%q is too short", c.Signal),
			Allowed: `use the topic that the consumers subscribe to, such as "CAPABILITY_GAP"`,
		}
	case math.IsNaN(c.Intensity) || math.IsInf(c.Intensity, 0):
		return &option.Error{Name: "intensity", Problem: "is no number that JSON can hold", Allowed: "use a finite number such as 1.0"}
	case c.MaxPending < 1 || c.MaxPending > mostPending:
		return option.OutOfRange("max_pending", c.MaxPending, 1, mostPending)
	case timeout < shortestConfirmTimeout:
		return option.TooSmall("confirm_timeout", timeout, shortestConfirmTimeout)
	case timeout > longestConfirmTimeout:
		return &option.Error{
			Name: "confirm_timeout", Problem: fmt.Sprintf("%v is too long: consumers would handle a repeated gap again", timeout),
			Allowed: fmt.Sprintf("use at most %v", longestConfirmTimeout),
		}
	}
	c.outbox = newOutbox(c.MaxPending, timeout)
	c.publisher = c.newPublisher()
	return c.initInvestigations()
}

// Connect begins to connect to the bus. A bus that is not there is no error: ZeroMQ keeps trying, and
// gaps wait.
func (c *ChemBus) Connect() error {
	if err := c.openState(); err != nil {
		return err
	}
	if c.Investigate && c.state == nil {
		return errors.New("investigate = true needs a state file, without which investigations could be asked for twice: set state_file")
	}
	c.logLostInvestigations()
	if err := c.loop.Init(); err != nil {
		c.closeState()
		return err
	}
	c.loop.Start(c.publisher, func(err error) {
		c.Log.Errorf("Publishing to %q failed, trying again in %v: %v", c.endpoint, bus.RetryAfter, err)
	})
	c.Log.Infof("Publishing %q to %q", c.Signal, c.endpoint)
	return nil
}

// Write takes the gaps among the metrics. It never waits for the bus.
func (c *ChemBus) Write(metrics []telegraf.Metric) error {
	now := time.Now()
	c.mu.Lock()
	for _, m := range metrics {
		g, problem := gapOf(m)
		if problem != "" {
			if n := c.malformed.Count(now); n > 0 {
				c.Log.Warnf("%d metrics are no gaps and were not published; the last, %q, %s. "+
					"Let only liveness_gap come here with namepass", n, m.Name(), problem)
			}
			continue
		}
		if dropped := c.outbox.Offer(g); dropped != nil {
			if n := c.dropped.Count(now); n > 0 {
				c.Log.Warnf("Dropped %d gaps, the last that of %q: more than max_pending = %d wait for a consumer on the bus. "+
					"Start a consumer, or raise max_pending", n, dropped.zooid, c.MaxPending)
			}
		}
	}
	c.mu.Unlock()
	c.loop.Wake()
	return nil
}

// Close waits up to 2 s for what is pending and disconnects.
func (c *ChemBus) Close() error {
	c.deadline = time.Now().Add(c.closeTimeout)
	err := c.loop.Stop(func() bool { return c.pending() > 0 && time.Now().Before(c.deadline) })
	if pending := c.pending(); pending > 0 {
		c.Log.Warnf("Stopped with %d gaps that were not published, or got no ack; the processor repeats those that are still open", pending)
	}
	c.outbox.investigations.Interrupt()
	c.closeState()
	return err
}

// pending returns how many incidents wait to be sent, or for their acks.
func (c *ChemBus) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.pending.Len()
}

func init() {
	outputs.Add("chembus", func() telegraf.Output {
		return &ChemBus{
			Signal:         "CAPABILITY_GAP",
			Ecosystem:      "monitoring",
			Intensity:      1,
			ConfirmTimeout: config.Duration(5 * time.Second),
			MaxPending:     10_000,
			closeTimeout:   closeTimeout,

			InvestigateSeverity: "high",
			InvestigateLimit:    10,
		}
	})
}
