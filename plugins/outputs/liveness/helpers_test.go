package liveness

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// page is a plugin that serves, on any port.
type page struct {
	*testing.T
	*Liveness
	log testutil.CaptureLogger
}

// newPage starts a plugin, with options that a function sets.
func newPage(t *testing.T, set func(*Liveness)) *page {
	t.Helper()
	p := &page{T: t, Liveness: newPlugin()}
	p.Log = &p.log
	p.Listen = "127.0.0.1:0"
	if set != nil {
		set(p.Liveness)
	}
	require.NoError(t, p.Init())
	require.NoError(t, p.Connect())
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func newPlugin() *Liveness {
	return outputs.Outputs["liveness"]().(*Liveness)
}

// url returns the address of a path.
func (p *page) url(path string) string {
	return "http://" + p.listener.Addr().String() + path
}

// get returns the status and the body of an answer.
func (p *page) get(path string) (int, string) {
	p.Helper()
	response, err := http.Get(p.url(path))
	require.NoError(p, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(p, err)
	return response.StatusCode, string(body)
}

// write hands metrics to the plugin, and lets the next request see them.
func (p *page) write(metrics ...telegraf.Metric) {
	p.Helper()
	require.NoError(p, p.Write(metrics))
	p.shownMu.Lock()
	p.shown = nil
	p.shownMu.Unlock()
}

const endpoint = "tcp://127.0.0.1:5559"

// report is a metric of a component in a state.
func report(name, state string, at time.Time) telegraf.Metric {
	up := int64(0)
	if state == "up" || state == "late" {
		up = 1
	}
	return metric.New("liveness", map[string]string{"host": "kloros", "endpoint": endpoint, "zooid": name, "niche": "voice"},
		map[string]any{"state": state, "up": up, "silence_s": 4.5, "threshold_s": 30.0, "interval_s": 10.0, "loss": 0.0, "beats": int64(7), "gaps": int64(1)}, at)
}

// gap is a metric of an open or closed gap.
func gap(name, incident string, open bool, at time.Time) telegraf.Metric {
	return metric.New("liveness_gap",
		map[string]string{"host": "kloros", "endpoint": endpoint, "zooid": name, "gap_type": "heartbeat_missing"},
		map[string]any{
			"incident_id": incident, "open": open, "last_seen": 1795829410.5, "missing_seconds": 30.5, "severity": "critical",
			"reason": "no heartbeat", "actions": `["Look at the log"]`,
		}, at)
}

// heard is a metric that says whether a bus can be heard.
func heard(observable bool, at time.Time) telegraf.Metric {
	return metric.New("chembus_bus", map[string]string{"host": "kloros", "endpoint": endpoint},
		map[string]any{"observable": observable, "suspended": false}, at)
}
