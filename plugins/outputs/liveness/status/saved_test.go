package status

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reload gives a new status the state of another one, by way of its file.
func reload(t *testing.T, s *Status, c Config) *Status {
	t.Helper()
	content, err := json.Marshal(s.State())
	require.NoError(t, err)
	var saved Saved
	require.NoError(t, json.Unmarshal(content, &saved))
	restored := New(c)
	require.NoError(t, restored.Restore(&saved))
	return restored
}

func TestReloadedIsTheSame(t *testing.T) {
	s := newScene(t)
	for i := range 500 {
		s.heard()
		s.report("a", []State{Up, Silent, Late, Stopped}[i/100%4])
		s.report("b", Up)
		s.wait(20 * time.Second)
	}
	s.gap("one", true)
	restored := reload(t, s.Status, s.config)
	want, got := s.View(s.now), restored.View(s.now)
	require.Equal(t, want.Events, got.Events)
	require.Len(t, got.Components, 2)
	for i := range got.Components {
		require.Equal(t, want.Components[i].History, got.Components[i].History)
		require.InDelta(t, *want.Components[i].Availability, *got.Components[i].Availability, 1e-3)
	}
	require.Equal(t, want.Gaps[0].Opened, got.Gaps[0].Opened)
	require.False(t, got.Known, "nothing was reported since")
}

func TestReloadedIsBounded(t *testing.T) {
	s := newScene(t)
	for i := range 100 {
		s.report(fmt.Sprint(i), Up)
		s.gap(fmt.Sprint(i), true)
	}
	c := s.config
	c.MaxComponents, c.MaxEvents = 7, 5
	v := reload(t, s.Status, c).View(s.now)
	require.Len(t, v.Components, 7)
	require.Len(t, v.Gaps, 7)
	require.Len(t, v.Events, 5)
}

func TestOtherHistoryBeginsAnew(t *testing.T) {
	s := newScene(t)
	s.report("a", Up)
	s.wait(10 * time.Second)
	s.report("a", Up)
	c := s.config
	c.History = 12 * time.Hour
	restored := reload(t, s.Status, c)
	require.Nil(t, restored.View(s.now).Components[0].Availability)
}

// FuzzRestore must not panic, whatever the file says.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"version":1,"now":"2100-01-01T00:00:00Z","components":[{"report":{"name":"a","State":"up"},"newest":-9,"cells":"AAAA"}]}`))
	f.Fuzz(func(_ *testing.T, content []byte) {
		var saved Saved
		if json.Unmarshal(content, &saved) != nil {
			return
		}
		s := New(Config{StaleAfter: time.Second, History: time.Hour, MaxComponents: 10, MaxEvents: 10})
		if s.Restore(&saved) == nil {
			s.View(start)
			s.State()
		}
	})
}
