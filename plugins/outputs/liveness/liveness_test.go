package liveness

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

func TestComponentsAreServed(t *testing.T) {
	p := serve(t, nil)
	now := time.Now()
	p.write(heard(true, now), report("audio_io", "silent", now), report("meta_agent", "up", now),
		metric.New("chembus_heartbeat", map[string]string{"host": "kloros", "endpoint": endpoint, "zooid": "meta_agent"},
			map[string]any{"beats": int64(1), "starts": int64(2)}, now))
	status, body := p.get("/api/v1/components")
	require.Equal(t, http.StatusOK, status)
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, true, answer["known"])
	require.Equal(t, map[string]any{"silent": 1.0, "up": 1.0}, answer["counts"])
	components := answer["components"].([]any)
	require.Len(t, components, 2)
	first := components[0].(map[string]any)
	for key, want := range map[string]any{
		"name": "audio_io", "bus": "kloros " + endpoint, "niche": "voice", "state": "silent", "reported_state": "silent",
		"silence_s": 4.5, "threshold_s": 30.0, "interval_s": 10.0, "beats": 7.0, "gaps": 1.0, "availability": nil,
		"history": strings.Repeat(".", 96),
	} {
		require.Equal(t, want, first[key], key)
	}
	require.InDelta(t, 2, components[1].(map[string]any)["starts"], 0)
}

func TestHealthFollowsWhatIsKnown(t *testing.T) {
	p := serve(t, nil)
	code, body := p.get("/healthz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "not known: no report came yet\n", body)

	now := time.Now()
	p.write(heard(true, now), report("audio_io", "silent", now))
	code, body = p.get("/healthz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", body)

	p.write(heard(false, now.Add(time.Millisecond)))
	code, body = p.get("/healthz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "not known: the bus cannot be heard\n", body)
}

func TestGapsAndEventsAreServed(t *testing.T) {
	p := serve(t, nil)
	now := time.Now()
	p.write(report("audio_io", "up", now), report("audio_io", "silent", now.Add(time.Millisecond)), gap("audio_io", "one", true, now),
		metric.New("chembus_signal", map[string]string{"signal": "CAPABILITY_GAP"}, map[string]any{"incident_id": "one"}, now))
	var answer struct {
		OpenGaps int `json:"open_gaps"`
		Gaps     []status.GapRow
		Events   []status.Event
	}
	_, body := p.get("/api/v1/gaps")
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, 1, answer.OpenGaps)
	require.Len(t, answer.Gaps, 1)
	require.Equal(t, "audio_io", answer.Gaps[0].Name)
	require.Equal(t, []string{"Look at the log"}, answer.Gaps[0].Actions)
	require.NotZero(t, answer.Gaps[0].Delivered)
	_, body = p.get("/api/v1/events")
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Len(t, answer.Events, 2)

	p.write(gap("audio_io", "one", false, now.Add(time.Millisecond)))
	_, body = p.get("/api/v1/gaps")
	require.Contains(t, body, `"gaps":[]`)
}

func TestOutputsAreServed(t *testing.T) {
	p := serve(t, nil)
	p.write(output(false, 3, time.Now().Add(-time.Minute)), output(false, 2, time.Now()))
	_, body := p.get("/api/v1/gaps")
	require.Contains(t, body, `"outputs":[{"name":"kloros","known":true,"publishing":false,"pending":2,"reported":`)
}

func TestWatchedSeriesAreNamedByTheirTags(t *testing.T) {
	p := serve(t, nil)
	p.write(metric.New("liveness", map[string]string{"watch": "hosts", "region": "eu", "host": "db1", "niche": "x"},
		map[string]any{"state": "up"}, time.Now()))
	_, body := p.get("/api/v1/components")
	require.Contains(t, body, `"watch":"hosts","bus":"","name":"db1/eu","niche":"x"`)
}

// TestHostileTextsAreEscaped has names that a browser, or a terminal, must not take for anything but text.
func TestHostileTextsAreEscaped(t *testing.T) {
	p := serve(t, nil)
	hostile := "<script>alert(1)</script>\x00\xff"
	m := report(hostile, "up", time.Now())
	m.AddField("silence_s", math.Inf(1))
	p.write(m, report(strings.Repeat("x", 1<<20), "up", time.Now()))
	_, body := p.get("/api/v1/components")
	require.NotContains(t, body, "<")
	require.Less(t, len(body), 1<<14)
	var answer struct{ Components []status.Row }
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Len(t, answer.Components, 2)
	require.Equal(t, "<script>alert(1)</script>\x00�", answer.Components[0].Name)
}

// TestListsAreBounded has a gap with more actions, and longer ones, than are kept.
func TestListsAreBounded(t *testing.T) {
	p := serve(t, nil)
	m := gap("audio_io", "one", true, time.Now())
	actions, err := json.Marshal(slices.Repeat([]string{strings.Repeat("x", 2*longestText)}, 2*mostListed))
	require.NoError(t, err)
	m.AddField("actions", string(actions))
	p.write(m)
	gaps := p.show().view.Gaps
	require.Len(t, gaps[0].Actions, mostListed)
	require.Len(t, gaps[0].Actions[0], longestText)
}

// TestConnectionsAreBounded has all connections in use that there may be.
func TestConnectionsAreBounded(t *testing.T) {
	p := serve(t, nil)
	ask := func(connection net.Conn, wait time.Duration) error {
		require.NoError(t, connection.SetDeadline(time.Now().Add(wait)))
		_, err := bufio.NewReader(connection).ReadString('\n')
		return err
	}
	var connections []net.Conn
	for range maxConnections + 1 {
		connection, err := net.Dial("tcp", p.listener.Addr().String())
		require.NoError(t, err)
		defer connection.Close()
		connections = append(connections, connection)
		_, err = connection.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		require.NoError(t, err)
		if len(connections) <= maxConnections {
			require.NoError(t, ask(connection, time.Minute))
		}
	}
	last := connections[maxConnections]
	require.ErrorIs(t, ask(last, 200*time.Millisecond), os.ErrDeadlineExceeded)
	require.NoError(t, connections[0].Close())
	require.NoError(t, ask(last, time.Minute))
}

func TestMalformedMetricsAreLoggedOnce(t *testing.T) {
	p := serve(t, nil)
	for range 3 {
		p.write(metric.New("liveness", map[string]string{"zooid": "a"}, map[string]any{"state": "dancing"}, time.Now()),
			metric.New("liveness_gap", map[string]string{"zooid": "a"}, map[string]any{"open": 1}, time.Now()),
			metric.New("chembus_bus", nil, map[string]any{"observable": "yes"}, time.Now()),
			metric.New("liveness", nil, map[string]any{"state": "up"}, time.Now()),
			metric.New("cpu", nil, map[string]any{"idle": 1}, time.Now()))
	}
	require.Len(t, p.log.Warnings(), 1)
	require.Contains(t, p.log.Warnings()[0], `1 metrics are not shown; the last, "liveness", has no state that is known in field "state"`)
	_, body := p.get("/api/v1/components")
	require.Contains(t, body, `"components":[]`)
}

func TestOnlyReading(t *testing.T) {
	p := serve(t, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, p.url("/api/v1/components"), strings.NewReader("x"))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, method)
	}
	code, _ := p.get("/etc/passwd")
	require.Equal(t, http.StatusNotFound, code)
}

func TestAnswersForbidWhatABrowserCouldDo(t *testing.T) {
	p := serve(t, nil)
	for _, path := range []string{"/api/v1/components", "/healthz", "/missing"} {
		response, err := http.Get(p.url(path))
		require.NoError(t, err)
		response.Body.Close()
		require.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), path)
		require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"), path)
	}
}

// TestOtherNamesOfALoopbackAddressAreRefused has a web page whose name was made to mean 127.0.0.1: a browser lets it read.
func TestOtherNamesOfALoopbackAddressAreRefused(t *testing.T) {
	password := func(l *Liveness) { l.BasicUsername, l.BasicPassword = "operator", config.NewSecret([]byte("secret")) }
	for _, test := range []struct {
		name string
		set  func(*Liveness)
		want map[string]int // by the header "Host"
	}{
		{"loopback", nil, map[string]int{
			"127.0.0.1:8559": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:8559": http.StatusOK, "[::1]": http.StatusOK,
			"localhost:8559": http.StatusOK, "LocalHost": http.StatusOK, "localhost.": http.StatusOK, "": http.StatusOK,
			"evil.example:8559": http.StatusMisdirectedRequest, "evil.example": http.StatusMisdirectedRequest,
			"localhost.evil.example": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest,
		}},
		{"given by name", func(l *Liveness) { l.Listen = "localhost:0" }, map[string]int{
			"localhost": http.StatusOK, "evil.example": http.StatusMisdirectedRequest,
		}},
		{"with a password", password, map[string]int{"proxy.example": http.StatusUnauthorized}},
		{"other address", func(l *Liveness) { l.Listen = "0.0.0.0:0" }, map[string]int{"monitor.example": http.StatusOK}},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler := serve(t, test.set).server.Handler
			for host, want := range test.want {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/components", http.NoBody)
				request.Host = host
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, request)
				require.Equal(t, want, answer.Code, host)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	p := serve(t, func(l *Liveness) {
		l.BasicUsername, l.BasicPassword = "operator", config.NewSecret([]byte("secret"))
	})
	for _, test := range []struct {
		name, password string
		want           int
	}{
		{"", "", http.StatusUnauthorized},
		{"operator", "", http.StatusUnauthorized},
		{"operator", "Secret", http.StatusUnauthorized},
		{"root", "secret", http.StatusUnauthorized},
		{"operator", "secret", http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url("/api/v1/components"), http.NoBody)
		require.NoError(t, err)
		request.SetBasicAuth(test.name, test.password)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, test.want, response.StatusCode, "%q %q", test.name, test.password)
	}
	code, _ := p.get("/healthz")
	require.Equal(t, http.StatusUnauthorized, code)
}

// writeCertificate writes a certificate and its key to a file, and returns a client that trusts it.
func writeCertificate(t *testing.T) (file string, client *http.Client) {
	t.Helper()
	model := httptest.NewTLSServer(http.NotFoundHandler()) // has both
	t.Cleanup(model.Close)
	file = filepath.Join(t.TempDir(), "cert.pem")
	key, err := x509.MarshalPKCS8PrivateKey(model.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	content := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: model.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file, model.Client()
}

func TestTLS(t *testing.T) {
	certificate, client := writeCertificate(t)
	p := serve(t, func(l *Liveness) { l.TLSCert, l.TLSKey = certificate, certificate })
	response, err := client.Get("https://" + p.listener.Addr().String() + "/api/v1/components")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestOpenAddressIsWarnedOf(t *testing.T) {
	p := serve(t, func(l *Liveness) { l.Listen = "0.0.0.0:0" })
	require.Contains(t, strings.Join(p.log.Warnings(), ""), "set basic_username and basic_password")
	require.Empty(t, serve(t, nil).log.Warnings())
}

func TestAddressInUse(t *testing.T) {
	p := serve(t, nil)
	second := newPlugin()
	second.Listen = p.listener.Addr().String()
	second.StateFile = filepath.Join(t.TempDir(), "page.json")
	second.Log = testutil.Logger{}
	require.NoError(t, second.Init())
	require.ErrorContains(t, second.Connect(), "address already in use; stop what uses it, or change the option \"listen\"")
}

func TestBadOptions(t *testing.T) {
	certificate, _ := writeCertificate(t)
	for _, test := range []struct {
		name string
		set  func(*Liveness)
	}{
		{"listen", func(l *Liveness) { l.Listen = "here" }},
		{"identity", func(l *Liveness) { l.Identity = nil }},
		{"stale_after", func(l *Liveness) { l.StaleAfter = 0 }},
		{"history", func(l *Liveness) { l.History = config.Duration(time.Minute) }},
		{"history", func(l *Liveness) { l.History = config.Duration(10000 * time.Hour) }},
		{"max_components", func(l *Liveness) { l.MaxComponents = 0 }},
		{"max_events", func(l *Liveness) { l.MaxEvents = -1 }},
		{"basic_username", func(l *Liveness) { l.BasicUsername = "operator" }},
		{"basic_username", func(l *Liveness) { l.BasicPassword = config.NewSecret([]byte("secret")) }},
		{"basic_username", func(l *Liveness) {
			l.BasicUsername, l.BasicPassword = "operators:night", config.NewSecret([]byte("secret"))
		}},
		{"tls_cert", func(l *Liveness) { l.TLSAllowedCACerts = []string{certificate} }},
		{"tls_allowed_cacerts", func(l *Liveness) { l.TLSAllowedDNSNames = []string{"operator.example"} }},
		{"tls_allowed_cacerts", func(l *Liveness) {
			l.TLSCert, l.TLSKey, l.TLSAllowedDNSNames = certificate, certificate, []string{"operator.example"}
		}},
	} {
		l := newPlugin()
		test.set(l)
		var problem *option.Error
		require.ErrorAs(t, l.Init(), &problem, test.name)
		require.Equal(t, test.name, problem.Name)
	}
}

// TestNeedsNoZeroMQ lets hosts without libzmq show what others report.
func TestNeedsNoZeroMQ(t *testing.T) {
	needs, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(needs), "outputs/liveness/status")
	require.NotContains(t, string(needs), "zmq4")
}
