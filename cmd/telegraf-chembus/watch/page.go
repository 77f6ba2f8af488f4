package watch

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gdamore/tcell/v3"
)

// page is what the screen shows: the last snapshot, and what the user has chosen of it.
type page struct {
	snapshot  *Snapshot // nil before the first
	message   string    // the last warning or error
	messageAt time.Time // of the message, by the time of the snapshots
	history   history

	search string // part of the name or the niche of the zooids to show
	typing bool   // the search is being typed
	state  string // of the zooids to show; empty: any
	order  int    // of the zooids, in orders
	help   bool   // instead of the table
	detail bool   // of the zooid at the cursor, instead of the table

	name   string // of the zooid at the cursor; empty: the first
	cursor int    // its row when it was last seen
	offset int    // of the first row shown
	rows   int    // number of rows that fit
}

// orders are the orders in which zooids can be shown. Without compare it is the snapshot's.
var orders = []struct {
	title   string
	compare func(a, b Zooid) int
}{
	{"urgency", nil},
	{"name", func(a, b Zooid) int { return cmp.Compare(a.Name, b.Name) }},
	{"niche", func(a, b Zooid) int { return cmp.Compare(a.Niche, b.Niche) }},
	{"silence", func(a, b Zooid) int { return cmp.Compare(b.SilenceS, a.SilenceS) }},
}

func newPage() *page {
	return &page{history: make(history)}
}

// take shows a new snapshot.
func (p *page) take(s *Snapshot) {
	if p.snapshot != nil && s.Bus.Observable && !p.snapshot.Bus.Observable {
		p.message = "" // most likely it was the reason
	}
	p.snapshot = s
	p.history.take(s)
}

// key handles a key; false to quit.
func (p *page) key(event *tcell.EventKey) bool {
	if event.Key() == tcell.KeyCtrlC {
		return false
	}
	if p.typing {
		p.typeKey(event)
		return true
	}
	switch key := event.Key(); {
	case event.Str() == "q":
		return false
	case key == tcell.KeyEscape:
		return p.back()
	case event.Str() == "?":
		p.help = !p.help
	case p.help:
	case key == tcell.KeyEnter:
		p.detail = !p.detail && len(p.zooids()) > 0
	case key == tcell.KeyUp, event.Str() == "k":
		p.move(-1)
	case key == tcell.KeyDown, event.Str() == "j":
		p.move(1)
	case p.detail:
	case event.Str() == "/":
		p.typing = true
	case event.Str() == "s":
		p.order = (p.order + 1) % len(orders)
	case event.Str() == "f":
		p.state = p.nextState()
	case key == tcell.KeyPgUp:
		p.turn(-1)
	case key == tcell.KeyPgDn, event.Str() == " ":
		p.turn(1)
	case key == tcell.KeyHome, event.Str() == "g":
		p.move(-len(p.zooids()))
	case key == tcell.KeyEnd, event.Str() == "G":
		p.move(len(p.zooids()))
	}
	return true
}

// typeKey handles a key while the search is typed.
func (p *page) typeKey(event *tcell.EventKey) {
	switch text := event.Str(); event.Key() {
	case tcell.KeyEnter:
		p.typing = false
	case tcell.KeyEscape:
		p.typing, p.search = false, ""
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		letters := []rune(p.search)
		p.search = string(letters[:max(len(letters)-1, 0)])
	case tcell.KeyRune:
		if len(p.search)+len(text) <= maxSearch && !strings.ContainsFunc(text, unicode.IsControl) {
			p.search += text
		}
	}
}

// maxSearch is the maximum length of a search, in bytes: that of a name.
const maxSearch = 256

// back leaves what is shown instead of the table, else shows all zooids again; false to quit, if there is nothing left.
func (p *page) back() bool {
	switch {
	case p.help:
		p.help = false
	case p.detail:
		p.detail = false
	case p.search != "" || p.state != "":
		p.search, p.state = "", ""
	default:
		return false
	}
	return true
}

// nextState returns the state after the chosen one, of those that there are; after the last one empty.
func (p *page) nextState() string {
	if p.snapshot == nil {
		return ""
	}
	counts := p.snapshot.states()
	i := slices.IndexFunc(counts, func(c stateCount) bool { return c.state == p.state })
	if i+1 == len(counts) {
		return ""
	}
	return counts[i+1].state
}

// zooids returns the zooids to show, in their order.
func (p *page) zooids() []Zooid {
	if p.snapshot == nil {
		return nil
	}
	search := strings.ToLower(p.search)
	zooids := slices.DeleteFunc(slices.Clone(p.snapshot.Zooids), func(z Zooid) bool {
		return p.state != "" && z.State != p.state ||
			!strings.Contains(strings.ToLower(z.Name), search) && !strings.Contains(strings.ToLower(z.Niche), search)
	})
	if compare := orders[p.order].compare; compare != nil {
		slices.SortStableFunc(zooids, compare)
	}
	return zooids
}

// at returns the row of the cursor, which stays with its zooid while that is shown.
func (p *page) at(zooids []Zooid) int {
	i := slices.IndexFunc(zooids, func(z Zooid) bool { return p.name != "" && z.Name == p.name })
	if i < 0 {
		i = max(min(p.cursor, len(zooids)-1), 0)
	}
	return i
}

// move moves the cursor.
func (p *page) move(rows int) {
	zooids := p.zooids()
	if len(zooids) == 0 {
		return
	}
	p.cursor = max(min(p.at(zooids)+rows, len(zooids)-1), 0)
	p.name = zooids[p.cursor].Name
}

// turn moves the cursor and the rows by whole pages.
func (p *page) turn(pages int) {
	p.offset += pages * p.rows
	p.move(pages * p.rows)
}

// scroll returns the zooids to show and the row of the cursor, which is among those that fit.
func (p *page) scroll(rows int) (zooids []Zooid, cursor int) {
	zooids = p.zooids()
	cursor = p.at(zooids)
	p.rows = rows
	p.offset = max(min(p.offset, len(zooids)-rows), 0)
	p.offset = max(min(p.offset, cursor), cursor-rows+1)
	return zooids, cursor
}

// time returns the time of the snapshot; zero before the first.
func (p *page) time() time.Time {
	if p.snapshot == nil {
		return time.Time{}
	}
	return p.snapshot.Time
}
