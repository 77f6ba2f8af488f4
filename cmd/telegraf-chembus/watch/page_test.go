package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/stretchr/testify/require"
)

// mixed returns a page with zooids in three states.
func mixed() *page {
	s := sample()
	s.Zooids = []Zooid{
		{Name: "zooid_b", Niche: "voice", State: "silent", SilenceS: 40},
		{Name: "zooid_c", Niche: "audio", State: "late", SilenceS: 20},
		{Name: "zooid_a", Niche: "voice", State: "up", SilenceS: 3},
		{Name: "zooid_d", Niche: "Memory", State: "up", SilenceS: 5},
	}
	p := newPage()
	p.take(&s)
	return p
}

// enter presses the keys of a text.
func enter(p *page, text string) {
	for _, r := range text {
		p.key(tcell.NewEventKey(tcell.KeyRune, string(r), tcell.ModNone))
	}
}

func on(p *page) string { return strings.Join(shown(p.compose(100, 24)), " ") }

func TestSearch(t *testing.T) {
	p := mixed()
	enter(p, "/mem")
	require.Equal(t, "zooid_d", on(p), "while it is typed, by the niche, in any case")
	enter(p, "q")
	require.Empty(t, on(p), "a q is part of the search")
	press(p, tcell.KeyBackspace2, tcell.KeyEnter)
	require.Equal(t, "zooid_d", on(p))
	require.Contains(t, fmt.Sprint(p.compose(100, 24)), "search mem")
	require.True(t, p.key(tcell.NewEventKey(tcell.KeyEscape, "", tcell.ModNone)), "shows all before it quits")
	require.Equal(t, "zooid_b zooid_c zooid_a zooid_d", on(p))
	enter(p, "/_C")
	require.Equal(t, "zooid_c", on(p))
	press(p, tcell.KeyEscape)
	require.Equal(t, "zooid_b zooid_c zooid_a zooid_d", on(p))
	require.False(t, p.key(tcell.NewEventKey(tcell.KeyEscape, "", tcell.ModNone)))
	enter(p, "/"+strings.Repeat("x", 1000))
	require.Len(t, p.search, maxSearch)
}

func TestSort(t *testing.T) {
	p := mixed()
	for _, want := range []string{
		"zooid_a zooid_b zooid_c zooid_d", // name
		"zooid_d zooid_c zooid_b zooid_a", // niche, then urgency
		"zooid_b zooid_c zooid_d zooid_a", // silence
		"zooid_b zooid_c zooid_a zooid_d", // urgency
	} {
		enter(p, "s")
		require.Equal(t, want, on(p), orders[p.order].title)
	}
}

func TestFilter(t *testing.T) {
	p := mixed()
	for _, want := range []string{"zooid_b", "zooid_c", "zooid_a zooid_d", "zooid_b zooid_c zooid_a zooid_d"} {
		enter(p, "f")
		require.Equal(t, want, on(p), p.state)
	}
	enter(p, "f")
	p.snapshot.Zooids[0].State = "up"
	require.Empty(t, on(p), "no zooid is silent any more")
	press(p, tcell.KeyEscape)
	require.NotEmpty(t, on(p))
}

// TestCursorStaysWithItsZooid reorders the rows under the cursor.
func TestCursorStaysWithItsZooid(t *testing.T) {
	p := mixed()
	press(p, tcell.KeyDown, tcell.KeyDown)
	require.Equal(t, "zooid_a", cursorOf(p))
	enter(p, "s")
	require.Equal(t, "zooid_a", cursorOf(p))
	enter(p, "/_b")
	require.Equal(t, "zooid_b", cursorOf(p), "its zooid is not shown")
}

func TestHelp(t *testing.T) {
	p := newPage()
	enter(p, "?")
	text := fmt.Sprint(p.compose(80, 24))
	for _, key := range []string{"/  ", "f  ", "s  ", "Enter  ", "?  "} {
		require.Contains(t, text, key, "before the first snapshot, too")
	}
	enter(p, "s")
	require.Zero(t, p.order, "only the table is sorted")
	enter(p, "?")
	require.NotContains(t, fmt.Sprint(p.compose(80, 24)), "Keys")
}

func TestDetails(t *testing.T) {
	s := sample()
	s.Gaps[0].IncidentID = "5a9f"
	p := newPage()
	p.take(&s)
	press(p, tcell.KeyEnter)
	text := fmt.Sprint(p.compose(100, 24))
	for _, want := range []string{
		"audio_io", "silent, for 3.4s", "33.4s, threshold 30.0s", "100, interval 10.0s", "Open    heartbeat_missing: no heartbeat", "incident 5a9f",
		"none since the watch was started",
	} {
		require.Contains(t, text, want)
	}
	next := sample()
	next.Time = s.Time.Add(time.Second)
	next.Zooids[0].State = "up"
	next.Gaps = nil
	p.take(&next)
	text = fmt.Sprint(p.compose(100, 24))
	require.Contains(t, text, "Changes "+next.Time.Local().Format(time.TimeOnly)+" up, was silent")
	require.NotContains(t, text, "Open ")
	press(p, tcell.KeyDown)
	require.Contains(t, p.compose(100, 24)[0].text, "meta_agent", "the next one")
	press(p, tcell.KeyEnter)
	require.Contains(t, fmt.Sprint(p.compose(100, 24)), "1-3 of 3")

	next.Zooids[1].Name = "evil\u202e"
	press(p, tcell.KeyEnter)
	require.Contains(t, p.compose(100, 24)[0].text, `evil\u202e`)
	for width := range 100 {
		for height := range 40 {
			require.LessOrEqual(t, len(p.compose(width, height)), height)
		}
	}
}

// TestHistory keeps the last changes of the zooids that there are.
func TestHistory(t *testing.T) {
	h := make(history)
	s := Snapshot{Time: at, Zooids: []Zooid{{Name: "a", State: "up"}, {Name: "b", State: "up"}}}
	h.take(&s)
	require.Empty(t, h.of("a"))
	for i := range 25 {
		s.Time = at.Add(time.Duration(i) * time.Second)
		s.Zooids[0].State = []string{"late", "up"}[i%2]
		h.take(&s)
	}
	require.Len(t, h.of("a"), maxChanges)
	require.Equal(t, change{s.Time, "up", "late"}, h.of("a")[maxChanges-1])
	require.Empty(t, h.of("b"))
	s.Zooids = s.Zooids[1:]
	h.take(&s)
	require.Len(t, h, 1)
	require.Empty(t, h.of("a"))
}
