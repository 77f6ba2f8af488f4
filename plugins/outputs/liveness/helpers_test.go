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

// served is a plugin that serves, on any port.
type served struct {
	testing.TB
	*Liveness
	log    testutil.CaptureLogger
	closed bool
}

// serve starts a plugin, with options that a function sets.
func serve(t testing.TB, set func(*Liveness)) *served {
	t.Helper()
	p := &served{TB: t, Liveness: newPlugin()}
	p.Liveness.Log = &p.log
	p.Listen = "127.0.0.1:0"
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	if set != nil {
		set(p.Liveness)
	}
	require.NoError(t, p.Init())
	require.NoError(t, p.Connect())
	t.Cleanup(func() {
		if !p.closed {
			require.NoError(t, p.Close())
		}
	})
	return p
}

func newPlugin() *Liveness {
	return outputs.Outputs["liveness"]().(*Liveness)
}

// url returns the address of a path.
func (p *served) url(path string) string {
	return "http://" + p.listener.Addr().String() + path
}

// get returns the status and the body of an answer.
func (p *served) get(path string) (int, string) {
	p.Helper()
	response, err := http.Get(p.url(path))
	require.NoError(p, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(p, err)
	return response.StatusCode, string(body)
}

// write hands metrics to the plugin, and lets the next request see them.
func (p *served) write(metrics ...telegraf.Metric) {
	p.Helper()
	require.NoError(p, p.Write(metrics))
	p.shownMu.Lock()
	p.shown = nil
	p.shownMu.Unlock()
}

// writeNow reports audio_io in a state and meta_agent as up, and that their bus can be heard.
func (p *served) writeNow(audio string) {
	p.Helper()
	now := time.Now()
	p.write(heard(true, now), report("audio_io", audio, now), report("meta_agent", "up", now))
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

// output is a metric that says whether the output can publish, and how many gaps wait.
func output(publishing bool, pending float64, at time.Time) telegraf.Metric {
	return metric.New("chembus_output", map[string]string{"host": "kloros"}, map[string]any{"publishing": publishing, "pending": pending}, at)
}

// heard is a metric that says whether a bus can be heard.
func heard(observable bool, at time.Time) telegraf.Metric {
	return metric.New("chembus_bus", map[string]string{"host": "kloros", "endpoint": endpoint},
		map[string]any{"observable": observable, "suspended": false}, at)
}

// writeScene reports a colony in which much has happened over the last hours.
func (p *served) writeScene() {
	p.Helper()
	now := time.Now()
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	for ago := 20 * time.Hour; ago >= 0; ago -= 20 * time.Second {
		p.take(at(ago), heard(true, at(ago)))
		if ago == 9*time.Hour || ago == 10*time.Hour {
			m := gap("heal_executor", "outage", ago == 10*time.Hour, at(ago))
			m.AddTag("gap_type", "heartbeat_mass_missing")
			p.take(at(ago), m)
		}
		for i, name := range []string{
			"audio_io", "chembus_historian", "curiosity_core_consumer", "heal_executor", "introspection_daemon",
			"investigation_consumer_affective", "ledger_writer_daemon", "meta_agent", "zooid_4711",
		} {
			state := "up"
			switch {
			case ago > 9*time.Hour && ago < 10*time.Hour && i%3 == 0, name == "audio_io" && ago < 3*time.Minute:
				state = "silent"
			case name == "meta_agent" && ago < time.Minute:
				state = "late"
			case name == "heal_executor" && ago < 2*time.Hour:
				state = "stopped"
			}
			if ago > 14*time.Hour && ago < 15*time.Hour {
				continue // nothing was known
			}
			p.take(at(ago), report(name, state, at(ago)))
		}
	}
	silent := gap("audio_io", "one", true, now)
	silent.AddField("missing_seconds", 190.0)
	silent.AddField("reason", `no heartbeat from "audio_io" for 190 s, threshold 30 s`)
	silent.AddField("unit", "kloros-audio.service")
	p.take(now, output(true, 0, now))
	p.take(now, silent, metric.New("chembus_signal", map[string]string{"signal": "CAPABILITY_GAP"}, map[string]any{"incident_id": "one"}, now))
	p.write()
}

// take hands metrics to the plugin as if it was another time.
func (p *served) take(now time.Time, metrics ...telegraf.Metric) {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range metrics {
		require.Empty(p, p.reader.Read(m, p.status, now))
	}
}
