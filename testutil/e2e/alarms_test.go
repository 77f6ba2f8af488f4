package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/alertmanager"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

const alarmsPath = "plugins/processors/liveness/alarms.md"

// awkward is a name with all that JSON, templates and TOML could trip over; in line protocol its spaces are escaped.
const awkward = `it's "quoted" c:\new\u0041 {{ .Tag "host" }} {{}} $HOME <b> ü`

// manyLines is a reason that must arrive as it is.
const manyLines = "first \"line\"\nsecond \\ {{end}}"

// alarmOptions let a test move the clock by what it posts.
const alarmOptions = `
[[processors.liveness]]
  threshold = "3s"
  report_interval = "1s"

  [[processors.liveness.watch]]
    name = "series"
    measurement = ["beat"]
    identity = ["host", "disk"]
    tick = ["series_tick"]
    threshold = "10ms"
`

// alarmed is a scene whose gaps go out by a block of the documentation.
type alarmed struct {
	*seriesScene
	observed float64
}

func newAlarmed(t *testing.T, block string) *alarmed {
	t.Helper()
	return &alarmed{seriesScene: newSeriesScene(t, alarmOptions, block)}
}

// tick moves the clock on by a second, and lets some components beat.
func (a *alarmed) tick(beating ...string) {
	a.Helper()
	var lines []string
	at := int64(1_795_446_803_000_000_000) + int64(a.observed*1e9)
	for _, name := range beating {
		lines = append(lines, fmt.Sprintf("chembus_heartbeat,endpoint=e,host=h,zooid=%s beats=1i,starts=0i,observed_s=%f,run=7i,sent=%f %d",
			strings.ReplaceAll(name, " ", `\ `), a.observed, float64(at)/1e9, at))
	}
	a.observed++
	lines = append(lines, fmt.Sprintf("chembus_tick,endpoint=e,host=h observed_s=%f,run=7i,holes=0i %d", a.observed, at+1e9))
	a.post(lines...)
}

// TestAlertmanager runs the block for a real Alertmanager: an open gap is one alert for as long as it is open.
func TestAlertmanager(t *testing.T) {
	process.SkipIfShort(t, "Alertmanager")
	type message struct{ Alerts []alertmanager.Alert }
	var notified requests
	receiver := receiver(t, &notified, nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	server, err := alertmanager.Start(ctx, t.TempDir(), receiver)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	a := newAlarmed(t, replaced(t, documentBlock(t, alarmsPath, "## Alertmanager", "toml", "[[outputs.http]]"),
		[2]string{"http://127.0.0.1:9093", server.URL}))
	alerts := func() []alertmanager.Alert {
		all, err := server.Alerts()
		require.NoError(t, err)
		return all
	}

	a.tick(awkward, "other", "third")
	for range 4 {
		a.tick("other")
	}
	a.wait("both silent components are alerts", func() bool { return len(alerts()) == 2 })
	ids := map[string]string{}
	for _, alert := range alerts() {
		ids[alert.Labels["component"]] = alert.Labels["incident_id"]
		require.Equal(t, "LivenessGap", alert.Labels["alertname"])
		require.Equal(t, "h", alert.Labels["host"])
		require.Equal(t, "e", alert.Labels["endpoint"])
		require.Equal(t, "heartbeat_missing", alert.Labels["gap_type"])
		require.Contains(t, alert.Annotations["summary"], "no heartbeat from ")
		require.WithinDuration(t, time.Now().Add(5*time.Minute), alert.EndsAt, time.Minute)
	}
	require.Contains(t, ids, awkward)
	require.NotEmpty(t, ids[awkward])

	first := alerts()[0].EndsAt
	a.tick("other")
	a.wait("a report moves the end on", func() bool { return alerts()[0].EndsAt.After(first) })
	require.Len(t, alerts(), 2, "a report is no new alert")

	a.tick("other", awkward)
	a.wait("one gap is closed", func() bool { return len(alerts()) == 1 })
	require.Equal(t, "third", alerts()[0].Labels["component"])
	firing, resolved := 0, 0
	a.wait("the receiver was told of the end", func() bool {
		firing, resolved = 0, 0
		for _, body := range notified.all() {
			var m message
			require.NoError(t, json.Unmarshal([]byte(body), &m))
			for _, alert := range m.Alerts {
				if alert.Labels["component"] != awkward {
					continue
				}
				require.Equal(t, ids[awkward], alert.Labels["incident_id"])
				if alert.Status == "firing" {
					firing++
				} else {
					resolved++
				}
			}
		}
		return resolved > 0
	})
	require.Equal(t, 1, firing)
	require.Equal(t, 1, resolved)

	// Between two ticks that are at most blind_after apart the clock of a watch goes on, here by more than its threshold.
	a.post("series_tick value=1")
	a.post("beat,host=h,disk=sda value=1", "series_tick value=1")
	a.wait("a series that stops is an alert, too", func() bool {
		a.post("series_tick value=1")
		return slices.ContainsFunc(alerts(), func(alert alertmanager.Alert) bool {
			return alert.Labels["watch"] == "series" && alert.Labels["host"] == "h" && alert.Labels["component"] == "h/sda"
		})
	})

	a.post(gapLine("many lines", "opened"))
	a.wait("newlines arrive", func() bool {
		for _, alert := range alerts() {
			if alert.Labels["component"] == "many lines" {
				return alert.Annotations["summary"] == manyLines
			}
		}
		return false
	})
	require.NotContains(t, a.telegraf.Output(), " E! ")
}

// TestWebhook runs the block for a webhook: one request when a gap opens and one when it closes, whatever fails first.
func TestWebhook(t *testing.T) {
	var got, refused requests
	var answer atomic.Int64
	answer.Store(http.StatusServiceUnavailable)
	a := newAlarmed(t, replaced(t, documentBlock(t, alarmsPath, "## A webhook", "toml", "[[outputs.http]]"),
		[2]string{"http://127.0.0.1:8065/hooks/liveness", receiver(t, &got, &refused, &answer)}))
	type hook struct {
		Text, Event, Severity, Component string
		IncidentID                       string `json:"incident_id"`
		Tags                             map[string]string
	}
	hooks := func() []hook { return decoded[hook](t, got.all()) }

	a.tick(awkward, "other")
	for range 5 {
		a.tick("other")
	}
	a.wait("it is tried again", func() bool { return refused.len() > 1 })
	answer.Store(http.StatusOK)
	a.wait("the beginning is told", func() bool { return got.len() == 1 })
	require.Equal(t, "opened", hooks()[0].Event)
	a.tick(awkward, "other")
	a.wait("the end is told", func() bool { return got.len() == 2 })
	end := hooks()[1]
	require.Equal(t, hooks()[0].IncidentID, end.IncidentID)
	require.Equal(t, "closed", end.Event)
	require.Equal(t, awkward, end.Tags["zooid"])
	require.Equal(t, awkward, end.Component)
	require.Equal(t, "critical", end.Severity)
	require.True(t, strings.HasPrefix(end.Text, "closed: no heartbeat from "), end.Text)

	answer.Store(http.StatusBadRequest)
	before := refused.len()
	a.post(gapLine("refused", "opened"))
	a.wait("it is refused", func() bool { return refused.len() > before })
	answer.Store(http.StatusOK)
	a.post(gapLine("next", "opened"), gapLine("next", "repeated"), gapLine("next", "closed"))
	a.wait("what is refused holds up nothing", func() bool { return got.len() == 4 })
	require.Equal(t, "opened: "+manyLines, hooks()[2].Text)
	require.Equal(t, "closed: "+manyLines, hooks()[3].Text)
}

// TestNtfy runs the block for ntfy.
func TestNtfy(t *testing.T) {
	var got requests
	a := newAlarmed(t, replaced(t, documentBlock(t, alarmsPath, "## ntfy", "toml", "[[outputs.http]]"),
		[2]string{"https://ntfy.sh", receiver(t, &got, nil, nil)}))
	type note struct {
		Topic, Title, Message string
		Priority              int
		Tags                  []string
	}
	notes := func() []note { return decoded[note](t, got.all()) }
	a.tick(awkward, "other")
	for range 5 {
		a.tick("other")
	}
	a.tick("other", awkward)
	a.wait("both are told", func() bool { return len(notes()) == 2 })
	a.post(gapLine("many lines", "opened"))
	a.wait("the last is told", func() bool { return len(notes()) == 3 })
	require.Contains(t, notes()[0].Message, "no heartbeat from ")
	first, second := notes()[0], notes()[1]
	first.Message, second.Message = "", ""
	require.Equal(t, note{"my-liveness-gaps", "Gap opened: " + awkward, "", 4, []string{"warning"}}, first)
	require.Equal(t, note{"my-liveness-gaps", "Gap closed: " + awkward, "", 3, []string{"white_check_mark"}}, second)
	require.Equal(t, manyLines, notes()[2].Message)
}

// gapLine is a gap as the processor writes it, with a reason of many lines.
func gapLine(zooid, event string) string {
	reason := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(manyLines)
	return fmt.Sprintf(`liveness_gap,gap_type=heartbeat_missing,host=h,zooid=%s incident_id="i",open=%t,event="%s",severity="critical",reason="%s"`,
		strings.ReplaceAll(zooid, " ", `\ `), event != "closed", event, reason)
}

// receiver starts an HTTP server that keeps what is posted to it, and returns its URL. It accepts everything, or, if answer
// is not nil, answers with that status and keeps what it refuses elsewhere.
func receiver(t *testing.T, accepted, refused *requests, answer *atomic.Int64) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if answer == nil || answer.Load() == http.StatusOK {
			accepted.add(string(body))
			return
		}
		refused.add(string(body))
		w.WriteHeader(int(answer.Load()))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func decoded[T any](t *testing.T, bodies []string) []T {
	t.Helper()
	all := make([]T, len(bodies))
	for i, body := range bodies {
		require.NoError(t, json.Unmarshal([]byte(body), &all[i]), "%s", body)
	}
	return all
}
