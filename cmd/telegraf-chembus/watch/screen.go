package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"
)

// Show shows the snapshots of a stream on the terminal until the user quits, the context ends or the stream fails. It
// restores the terminal before it returns.
func Show(ctx context.Context, s *Stream) error {
	terminal, err := tcell.NewScreen()
	if err == nil {
		err = terminal.Init()
	}
	if err != nil {
		return fmt.Errorf("the terminal cannot be used: %w; use -once or -json", err)
	}
	defer terminal.Fini()
	return show(ctx, s, terminal)
}

func show(ctx context.Context, s *Stream, terminal tcell.Screen) error {
	var p page
	for {
		select {
		case <-ctx.Done():
			return nil
		case snapshot, ok := <-s.snapshots:
			if !ok {
				return s.err
			}
			if p.snapshot != nil && snapshot.Bus.Observable && !p.snapshot.Bus.Observable {
				p.message = "" // most likely it was the reason
			}
			p.snapshot = &snapshot
		case p.message = <-s.messages:
			p.messageAt = p.time()
		case event, ok := <-terminal.EventQ():
			switch event := event.(type) {
			case *tcell.EventResize:
				terminal.Sync()
			case *tcell.EventKey:
				if !p.key(event) {
					return nil
				}
			case *tcell.EventError:
				return fmt.Errorf("the terminal failed: %w", event)
			}
			if !ok {
				return errors.New("the terminal is gone")
			}
		}
		draw(terminal, &p)
	}
}

// page is the content of the screen.
type page struct {
	snapshot  *Snapshot // nil before the first
	message   string    // the last warning or error
	messageAt time.Time // of the message, by the time of the snapshots
	offset    int       // of the first row shown
	rows      int       // number of rows that fit
}

// key handles a key; false to quit.
func (p *page) key(event *tcell.EventKey) bool {
	switch key := event.Key(); {
	case key == tcell.KeyCtrlC, key == tcell.KeyEscape, event.Str() == "q":
		return false
	case key == tcell.KeyUp, event.Str() == "k":
		p.offset--
	case key == tcell.KeyDown, event.Str() == "j":
		p.offset++
	case key == tcell.KeyPgUp:
		p.offset -= p.rows
	case key == tcell.KeyPgDn, event.Str() == " ":
		p.offset += p.rows
	case key == tcell.KeyHome, event.Str() == "g":
		p.offset = 0
	case key == tcell.KeyEnd, event.Str() == "G":
		p.offset = len(p.zooids())
	}
	return true
}

// time returns the time of the snapshot; zero before the first.
func (p *page) time() time.Time {
	if p.snapshot == nil {
		return time.Time{}
	}
	return p.snapshot.Time
}

func (p *page) zooids() []Zooid {
	if p.snapshot == nil {
		return nil
	}
	return p.snapshot.Zooids
}

// A line of the screen.
type line struct {
	text string
	look look
}

// look is the style of a line.
type look int

const (
	plain look = iota
	title
	bar
	alarm // a component is missing, or the bus is not observed
	warning
	faint
)

// The colours are the terminal's own red and yellow, which fit its background.
var styles = map[look]tcell.Style{
	plain:   tcell.StyleDefault,
	title:   tcell.StyleDefault.Bold(true).Underline(true),
	bar:     tcell.StyleDefault.Reverse(true),
	alarm:   tcell.StyleDefault.Foreground(color.Maroon).Bold(true),
	warning: tcell.StyleDefault.Foreground(color.Olive),
	faint:   tcell.StyleDefault.Dim(true),
}

var looks = map[string]look{"silent": alarm, "unseen": alarm, "flapping": alarm, "late": warning, "killed": faint, "stopped": faint, "gone": faint}

func draw(terminal tcell.Screen, p *page) {
	width, height := terminal.Size()
	terminal.Clear()
	for y, l := range p.compose(width, height) {
		terminal.PutStrStyled(0, y, l.text, styles[l.look])
	}
	terminal.Show()
}

// compose returns the lines for a screen of this size, and limits the offset to the rows that exist.
func (p *page) compose(width, height int) []line {
	if width < 1 || height < 1 {
		return nil
	}
	if p.snapshot == nil {
		return []line{{"Listening… (q: quit)", plain}, {printable(p.message), warning}}
	}
	var lines []line
	for _, l := range p.snapshot.header() {
		for _, part := range wrap(l.text, width) {
			lines = append(lines, line{part, l.look})
		}
	}
	if p.messageAt.IsZero() {
		p.messageAt = p.time()
	}
	if p.message != "" && p.time().Sub(p.messageAt) < messageFor {
		for _, part := range wrap("Log     "+p.messageAt.Local().Format(time.TimeOnly)+" "+printable(p.message), width) {
			lines = append(lines, line{part, warning})
		}
	}
	// On a low screen rows take precedence over the header.
	zooids := p.zooids()
	const titleAndBar = 2
	lines = lines[:min(len(lines), max(height-titleAndBar-min(len(zooids), minRows), 0))]
	p.rows = max(height-titleAndBar-len(lines), 0)
	p.offset = max(min(p.offset, len(zooids)-p.rows), 0)
	last := min(p.offset+p.rows, len(zooids))

	t := layOut(zooids, width)
	lines = append(lines, line{pad(t.head(), width), title})
	for i := p.offset; i < last; i++ {
		lines = append(lines, line{t.row(&zooids[i]), looks[zooids[i].State]})
	}
	for len(lines) < height-1 {
		lines = append(lines, line{})
	}
	status := fmt.Sprintf("%s  %d-%d of %d  q: quit, arrow and page keys: scroll",
		p.snapshot.Time.Local().Format(time.TimeOnly), min(p.offset+1, last), last, len(zooids))
	return append(lines, line{pad(status, width), bar})
}

const (
	// minRows is the number of rows that are shown before any line of the header.
	minRows = 5
	// messageFor is how long a message is shown. The plugins log a continuing problem every minute.
	messageFor = time.Minute
)
