package liveness

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listener is an open page.
type listener struct {
	testing.TB
	lines *bufio.Reader
}

func (p *served) listen() *listener {
	p.Helper()
	ctx, cancel := context.WithCancel(p.Context())
	p.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url("/stream"), http.NoBody)
	require.NoError(p, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(p, err)
	p.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(p, http.StatusOK, response.StatusCode)
	require.Equal(p, "text/event-stream", response.Header.Get("Content-Type"))
	return &listener{p.TB, bufio.NewReader(response.Body)}
}

// next returns the next message.
func (l *listener) next() message {
	l.Helper()
	for {
		line, err := l.lines.ReadString('\n')
		require.NoError(l, err)
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var m message
			require.NoError(l, json.Unmarshal([]byte(data), &m))
			return m
		}
	}
}

// until returns the next message that meets a condition.
func (l *listener) until(condition func(message) bool) message {
	l.Helper()
	for {
		if m := l.next(); condition(m) {
			return m
		}
	}
}

func TestStreamTellsAllAndThenChanges(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("up")
	l := p.listen()
	m := l.next()
	require.True(t, m.Full)
	require.True(t, m.Known)
	require.Len(t, m.Components, 2)

	now := time.Now()
	p.write(report("audio_io", "silent", now), gap("audio_io", "one", true, now))
	m = l.until(func(m message) bool { return len(m.Components) > 0 })
	require.False(t, m.Full)
	require.Len(t, m.Components, 1)
	require.Equal(t, "silent", m.Components[0].State.String())
	require.Len(t, m.Gaps, 1)
	require.Len(t, m.Events, 2)

	p.write(report("audio_io", "retired", time.Now()))
	m = l.until(func(m message) bool { return len(m.Removed) > 0 })
	require.Equal(t, "audio_io", m.Removed[0].Name)
	require.Len(t, m.Events, 1, "only what is new")
	second := p.listen().next()
	require.True(t, second.Full)
	require.Len(t, second.Components, 1)
	require.Len(t, second.Events, 3)
}

// TestSlowPageIsDropped has a client that does not read.
func TestSlowPageIsDropped(t *testing.T) {
	s := newStreams(nil)
	slow, fast := &client{make(chan []byte, 1)}, &client{make(chan []byte, 1)}
	s.clients[slow], s.clients[fast] = struct{}{}, struct{}{}
	s.tell([]byte("one"))
	<-fast.messages
	s.tell([]byte("two"))
	require.Len(t, s.clients, 1)
	require.Equal(t, "two", string(<-fast.messages))
	<-slow.messages
	_, open := <-slow.messages
	require.False(t, open)
	s.drop(slow) // again, when its handler ends
}

// TestNothingIsHeldForPagesThatAreClosed has the last page closed.
func TestNothingIsHeldForPagesThatAreClosed(t *testing.T) {
	p := serve(t, nil)
	p.writeNow("up")
	s := newStreams(p.show)
	one, other := &client{make(chan []byte, 1)}, &client{make(chan []byte, 1)}
	s.add(one)
	s.add(other)
	s.drop(one)
	require.Len(t, s.told, 2)
	s.drop(other)
	require.Empty(t, s.told)
	require.Nil(t, s.view)
	require.Nil(t, s.full)
	again := &client{make(chan []byte, 1)}
	s.add(again)
	require.Contains(t, string(<-again.messages), "audio_io")
}

func TestStreamsAreBounded(t *testing.T) {
	p := serve(t, nil)
	for range maxStreams {
		p.listen()
	}
	response, err := http.Get(p.url("/stream"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	code, _ := p.get("/api/v1/components")
	require.Equal(t, http.StatusOK, code, "others are served")
}

func TestPageIsServed(t *testing.T) {
	p := serve(t, nil)
	for path, kind := range map[string]string{
		"/": "text/html", "/style.css": "text/css", "/main.js": "text/javascript", "/icon.svg": "image/svg+xml",
	} {
		response, err := http.Get(p.url(path))
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, path)
		require.Contains(t, response.Header.Get("Content-Type"), kind, path)
	}
}
