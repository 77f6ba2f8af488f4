package watch

import (
	"fmt"
	"slices"
	"time"
)

const (
	// minRows is the number of rows that are shown before any line of the header.
	minRows = 5
	// messageFor is how long a message is shown. The plugins log a continuing problem every minute.
	messageFor = time.Minute
)

// keys are the lines of the help.
var keys = []string{
	"?                  show this help, or leave it",
	"/                  search in names and niches; Enter to keep, Esc to clear",
	"f                  show only the zooids in one state, the next at each key",
	"s                  sort by urgency, name, niche or silence",
	"Enter              show the details of the zooid at the cursor, or leave them",
	"Up, Down (k, j)    move the cursor",
	"PgUp, PgDn, Space  move it by a page",
	"Home, End (g, G)   move it to the first or last row",
	"Esc                back, then quit",
	"q, Ctrl-C          quit",
}

// compose returns the lines for a screen of this size, and limits the offset to the rows that exist.
func (p *page) compose(width, height int) []line {
	switch {
	case width < 1 || height < 1:
		return nil
	case p.help:
		lines := []line{{pad("Keys", width), title}}
		for _, text := range keys {
			lines = append(lines, line{text, plain})
		}
		return lines[:min(len(lines), height)]
	case p.snapshot == nil:
		return []line{{"Listening… (q: quit)", plain}, {printable(p.message), warning}}
	}
	if p.detail {
		if zooids := p.zooids(); len(zooids) > 0 {
			return p.details(&zooids[p.at(zooids)], width, height)
		}
	}
	return p.table(width, height)
}

// table returns the header and the rows of zooids.
func (p *page) table(width, height int) []line {
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
	const titleAndBar = 2
	lines = lines[:min(len(lines), max(height-titleAndBar-min(len(p.zooids()), minRows), 0))]
	zooids, cursor := p.scroll(max(height-titleAndBar-len(lines), 0))
	last := min(p.offset+p.rows, len(zooids))

	t := layOut(zooids, width)
	lines = append(lines, line{pad(t.head(), width), title})
	for i := p.offset; i < last; i++ {
		l := line{t.row(&zooids[i]), looks[zooids[i].State]}
		if i == cursor {
			l = line{pad(l.text, width), l.look | selected}
		}
		lines = append(lines, l)
	}
	for len(lines) < height-1 {
		lines = append(lines, line{})
	}
	return append(lines, line{pad(p.status(last, len(zooids)), width), bar})
}

// status returns the last line: what is shown, and how to change it.
func (p *page) status(last, count int) string {
	if p.typing {
		return "/" + printable(p.search) + "_"
	}
	text := fmt.Sprintf("%s  %d-%d of %d  by %s", p.snapshot.Time.Local().Format(time.TimeOnly), min(p.offset+1, last), last, count, orders[p.order].title)
	if p.state != "" {
		text += "  state " + printable(p.state)
	}
	if p.search != "" {
		text += "  search " + printable(p.search)
	}
	return text + "  q: quit, ?: help"
}

// details returns all that is known of a zooid.
func (p *page) details(z *Zooid, width, height int) []line {
	state, l := z.State, looks[z.State]
	if z.SinceS != nil {
		state += ", for " + span(*z.SinceS)
	}
	lines := []line{
		{pad(named(z.Name), width), title},
		{"State   " + state, l},
		{"Niche   " + named(z.Niche), plain},
		{fmt.Sprintf("Silence %s, threshold %s", span(z.SilenceS), span(z.ThresholdS)), plain},
		{fmt.Sprintf("Beats   %d, interval %s (deviation %s), %.1f %% lost, lag %s",
			z.Beats, optionalSpan(z.IntervalS), optionalSpan(z.IntervalStddev), z.Loss*100, latency(z.LagS)), plain},
		{fmt.Sprintf("Gaps    %d since it was first heard, availability %.2f %%", z.Gaps, z.Availability*100), plain},
	}
	for _, g := range p.snapshot.Gaps {
		if g.Zooid == z.Name {
			text := fmt.Sprintf("Open    %s: %s (%s), incident %s", g.Type, g.Reason, g.Severity, g.IncidentID)
			lines = append(lines, line{printable(text), alarm})
		}
	}
	changes := p.history.of(z.Name)
	if len(changes) == 0 {
		lines = append(lines, line{"Changes none since the watch was started", plain})
	}
	for i, c := range slices.Backward(changes) {
		label := "        "
		if i == len(changes)-1 {
			label = "Changes "
		}
		lines = append(lines, line{fmt.Sprintf("%s%s %s, was %s", label, c.at.Local().Format(time.TimeOnly), c.to, c.from), looks[c.to]})
	}
	var wrapped []line
	for _, l := range lines {
		for _, part := range wrap(l.text, width) {
			wrapped = append(wrapped, line{part, l.look})
		}
	}
	wrapped = wrapped[:min(len(wrapped), height-1)]
	for len(wrapped) < height-1 {
		wrapped = append(wrapped, line{})
	}
	return append(wrapped, line{pad("Enter, Esc: back, Up, Down: the next one", width), bar})
}
