// Package liveness is an output of Telegraf that serves a status page: a web page, and JSON, that say which components
// are up, late or silent. It shows what processors.liveness and inputs.chembus report and decides nothing, but for one
// thing: what was not reported of late is not known.
//
//   - status/ is what is known: plain Go, without Telegraf, clock or network
//   - read.go: what metrics say
//   - server.go: the HTTP server; api.go: what it answers; stream.go: what it tells open pages
//   - keep.go: what survives a restart
//   - page/ is the web page
package liveness

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	commontls "github.com/influxdata/telegraf/plugins/common/tls"
	"github.com/influxdata/telegraf/plugins/outputs"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

//go:embed sample.conf
var sampleConfig string

const (
	shortestHistory    = time.Hour
	longestHistory     = 31 * 24 * time.Hour
	shortestStaleAfter = time.Second
	mostComponents     = 1_000_000
	mostEvents         = 100_000
	closeTimeout       = 2 * time.Second
)

// Liveness is the output's configuration and state.
type Liveness struct {
	Listen        string          `toml:"listen"`
	Bus           []string        `toml:"bus"`
	Identity      []string        `toml:"identity"`
	StaleAfter    config.Duration `toml:"stale_after"`
	History       config.Duration `toml:"history"`
	MaxComponents int             `toml:"max_components"`
	MaxEvents     int             `toml:"max_events"`
	StateFile     string          `toml:"state_file"`

	BasicUsername string        `toml:"basic_username"`
	BasicPassword config.Secret `toml:"basic_password"`
	commontls.ServerConfig
	Log telegraf.Logger `toml:"-"`

	reader   reader
	tls      *tls.Config // nil: none
	password string
	server   *http.Server
	listener net.Listener
	streams  *streams
	wg       sync.WaitGroup

	state *statefile.File // nil: nothing is kept

	mu                 sync.Mutex // guards what follows
	status             *status.Status
	malformed, dropped logging.RateLimit
	droppedBefore      uint64 // that were logged

	shownMu sync.Mutex // guards what follows; may be held when mu is locked
	shown   *shown     // last; nil: nothing was
}

// SampleConfig returns the documented default configuration.
func (*Liveness) SampleConfig() string {
	return sampleConfig
}

// Init checks the options.
func (l *Liveness) Init() error {
	if err := l.checkOptions(); err != nil {
		return err
	}
	if len(l.TLSAllowedDNSNames) > 0 && len(l.TLSAllowedCACerts) == 0 {
		return &option.Error{
			Name: "tls_allowed_cacerts", Problem: "is missing beside tls_allowed_dns_names, so no client would need a certificate",
			Allowed: "give the authorities that sign them",
		}
	}
	var err error
	if l.tls, err = l.TLSConfig(); err != nil {
		return fmt.Errorf("TLS options: %w", err)
	}
	if l.tls != nil && len(l.tls.Certificates) == 0 {
		return &option.Error{Name: "tls_cert", Problem: "is missing beside the other TLS options", Allowed: "give tls_cert and tls_key"}
	}
	password, err := l.BasicPassword.Get()
	if err != nil {
		return &option.Error{Name: "basic_password", Problem: err.Error(), Allowed: "use a text, or a secret that exists"}
	}
	l.password = password.String()
	password.Destroy()
	if (l.BasicUsername == "") != (l.password == "") {
		return &option.Error{Name: "basic_username", Problem: "is given without basic_password, or the other way round", Allowed: "give both, or none"}
	}
	if strings.Contains(l.BasicUsername, ":") {
		return &option.Error{Name: "basic_username", Problem: "has a colon, which browsers cannot send in it", Allowed: "use one without"}
	}
	l.reader = reader{bus: l.Bus, identity: l.Identity}
	l.status = status.New(status.Config{
		StaleAfter: time.Duration(l.StaleAfter), History: time.Duration(l.History),
		MaxComponents: l.MaxComponents, MaxEvents: l.MaxEvents,
	})
	return nil
}

func (l *Liveness) checkOptions() error {
	history, stale := time.Duration(l.History), time.Duration(l.StaleAfter)
	if _, _, err := net.SplitHostPort(l.Listen); err != nil {
		return &option.Error{Name: "listen", Problem: fmt.Sprintf("%q is no address: %v", l.Listen, err), Allowed: `use "HOST:PORT" such as "127.0.0.1:8559"`}
	}
	switch {
	case len(l.Identity) == 0:
		return &option.Error{Name: "identity", Problem: "names no tag", Allowed: "use the identity of processors.liveness"}
	case stale < shortestStaleAfter:
		return option.TooSmall("stale_after", stale, shortestStaleAfter)
	case history < shortestHistory:
		return option.TooSmall("history", history, shortestHistory)
	case history > longestHistory:
		return &option.Error{Name: "history", Problem: fmt.Sprintf("%q is too long", history), Allowed: fmt.Sprintf("use at most %q", longestHistory)}
	case l.MaxComponents < 1 || l.MaxComponents > mostComponents:
		return option.OutOfRange("max_components", l.MaxComponents, 1, mostComponents)
	case l.MaxEvents < 1 || l.MaxEvents > mostEvents:
		return option.OutOfRange("max_events", l.MaxEvents, 1, mostEvents)
	}
	return nil
}

// Connect loads what was known before, and starts the server.
func (l *Liveness) Connect() error {
	if err := l.openState(); err != nil {
		return err
	}
	if err := l.serve(); err != nil {
		l.state.Close()
		return err
	}
	if l.state != nil {
		l.wg.Go(l.keep)
	}
	return nil
}

// Write takes what the metrics say. It never waits for those who look at the page.
func (l *Liveness) Write(metrics []telegraf.Metric) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now() // not before: to the status, time that goes back is a clock that was set back
	for _, m := range metrics {
		if problem := l.reader.Read(m, l.status, now); problem != "" {
			if n := l.malformed.Count(now); n > 0 {
				l.Log.Warnf("%d metrics are not shown; the last, %q, %s. See which plugin changes it before it comes here, "+
					"and whether identity is that of processors.liveness", n, m.Name(), problem)
			}
		}
	}
	if dropped := l.status.Dropped() - l.droppedBefore; dropped > 0 && l.dropped.Allow(now) {
		l.droppedBefore += dropped
		l.Log.Warnf("%d metrics are not shown, because there are more than max_components = %d components, buses, open gaps or outputs; raise it",
			dropped, l.MaxComponents)
	}
	return nil
}

// Close ends the server. It waits a short time for requests that were begun.
func (l *Liveness) Close() error {
	close(l.streams.done)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if l.server.Shutdown(ctx) != nil { // somebody is slow
		_ = l.server.Close()
	}
	l.wg.Wait()
	l.state.Close()
	return nil
}

func init() {
	outputs.Add("liveness", func() telegraf.Output {
		return &Liveness{
			Listen:        "127.0.0.1:8559",
			Bus:           []string{"host", "endpoint"},
			Identity:      []string{"zooid"},
			StaleAfter:    config.Duration(30 * time.Second),
			History:       config.Duration(24 * time.Hour),
			MaxComponents: 10_000,
			MaxEvents:     1000,
		}
	})
}
