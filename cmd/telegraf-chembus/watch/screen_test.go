package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/stretchr/testify/require"
)

// pageOf returns a page with n zooids.
func pageOf(n int) *page {
	s := sample()
	s.Zooids = nil
	for i := range n {
		s.Zooids = append(s.Zooids, Zooid{Name: fmt.Sprintf("zooid%03d", i), State: "up"})
	}
	p := newPage()
	p.take(&s)
	return p
}

// shown returns the names on the screen, in order.
func shown(lines []line) []string {
	var names []string
	for _, l := range lines {
		if strings.HasPrefix(l.text, "zooid") {
			names = append(names, strings.Fields(l.text)[0])
		}
	}
	return names
}

func press(p *page, keys ...tcell.Key) {
	for _, key := range keys {
		p.key(tcell.NewEventKey(key, "", tcell.ModNone))
	}
}

func TestScreenScrolls(t *testing.T) {
	p := pageOf(100)
	first := func() string { return shown(p.compose(80, 24))[0] }
	require.Len(t, p.compose(80, 24), 24)
	require.Equal(t, "zooid000", first())
	press(p, tcell.KeyDown, tcell.KeyDown)
	require.Equal(t, "zooid000", first(), "the cursor moves first")
	for range p.rows {
		press(p, tcell.KeyDown)
	}
	require.Equal(t, "zooid003", first())
	press(p, tcell.KeyHome)
	require.Equal(t, "zooid000", first(), "the first row")
	press(p, tcell.KeyPgDn)
	require.Equal(t, fmt.Sprintf("zooid%03d", p.rows), first())
	press(p, tcell.KeyEnd)
	lines := shown(p.compose(80, 24))
	require.Equal(t, "zooid099", lines[len(lines)-1])
	require.Equal(t, "zooid099", cursorOf(p))
	require.Len(t, lines, p.rows, "the last page is full")
	press(p, tcell.KeyPgUp, tcell.KeyHome)
	require.Equal(t, "zooid000", first())

	press(p, tcell.KeyEnd)
	p.compose(80, 24)
	p.take(pageOf(3).snapshot)
	require.Equal(t, []string{"zooid000", "zooid001", "zooid002"}, shown(p.compose(80, 24)), "fewer rows than the offset")
}

// cursorOf returns the name at the cursor on the screen.
func cursorOf(p *page) string {
	for _, l := range p.compose(100, 24) {
		if l.look&selected != 0 {
			return strings.Fields(l.text)[0]
		}
	}
	return ""
}

func TestScreenOfAnySize(t *testing.T) {
	p := pageOf(100)
	p.message = "W! [inputs.chembus] " + strings.Repeat("word ", 100)
	for width := range 100 {
		for height := range 40 {
			lines := p.compose(width, height)
			if width == 0 || height == 0 {
				require.Empty(t, lines)
				continue
			}
			require.Len(t, lines, max(height, 2))
			require.Len(t, shown(lines), p.rows)
			require.GreaterOrEqual(t, p.rows, min(minRows, height-2), "rows take precedence over the header")
		}
	}
}

func TestScreenLooks(t *testing.T) {
	s := sample()
	s.Bus.Observable = false
	p := newPage()
	p.take(&s)
	lines := p.compose(80, 24)
	require.Equal(t, alarm, lines[0].look, "the bus is not observed")
	looks := make(map[string]look)
	for _, l := range lines {
		name, _, _ := strings.Cut(l.text, " ")
		looks[name] = l.look
	}
	require.Equal(t, alarm|selected, looks["audio_io"], "the cursor")
	require.Equal(t, plain, looks["meta_agent"])
	require.Equal(t, title, looks["ZOOID"])
	require.Contains(t, lines[len(lines)-1].text, "1-3 of 3")
}

// TestMessages requires that a message is escaped and shown for a minute.
func TestMessages(t *testing.T) {
	p := newPage()
	p.message = "W! [inputs.chembus] no\x1b[2J connection"
	text := func() string { return fmt.Sprint(p.compose(80, 24)) }
	require.Contains(t, text(), `no\x1b[2J connection`, "before the first snapshot")
	s := sample()
	p.snapshot = &s
	require.Contains(t, text(), `W! [inputs.chembus] no\x1b[2J connection`)
	s.Time = s.Time.Add(2 * time.Minute)
	require.NotContains(t, text(), "no connection")
	require.NotContains(t, text(), "W!")
}

func TestKeysThatQuit(t *testing.T) {
	p := newPage()
	for _, key := range []*tcell.EventKey{
		tcell.NewEventKey(tcell.KeyCtrlC, "", tcell.ModCtrl), tcell.NewEventKey(tcell.KeyEscape, "", tcell.ModNone), tcell.NewEventKey(tcell.KeyRune, "q", tcell.ModNone),
	} {
		require.False(t, p.key(key), key.Name())
	}
	require.True(t, p.key(tcell.NewEventKey(tcell.KeyRune, "x", tcell.ModNone)))
}
