package watch

import (
	"context"
	"errors"
	"fmt"

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
	p := newPage()
	for {
		select {
		case <-ctx.Done():
			return nil
		case snapshot, ok := <-s.snapshots:
			if !ok {
				return s.err
			}
			p.take(&snapshot)
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
		draw(terminal, p)
	}
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

	selected look = 1 << 8 // added to the others
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

// style returns the style of a look, also of a selected one.
func (l look) style() tcell.Style {
	if l&selected != 0 {
		return styles[l&^selected].Reverse(true)
	}
	return styles[l]
}

var looks = map[string]look{"silent": alarm, "unseen": alarm, "flapping": alarm, "late": warning, "killed": faint, "stopped": faint, "gone": faint}

func draw(terminal tcell.Screen, p *page) {
	width, height := terminal.Size()
	terminal.Clear()
	for y, l := range p.compose(width, height) {
		terminal.PutStrStyled(0, y, l.text, l.look.style())
	}
	terminal.Show()
}
