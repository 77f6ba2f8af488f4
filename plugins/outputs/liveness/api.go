package liveness

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

// refreshInterval is how old what is shown may be. So requests, however many, cost the pipeline a look at the
// components in each of these.
const refreshInterval = 500 * time.Millisecond

// shown is what is shown for a refreshInterval. Its parts are encoded when they are asked for first.
type shown struct {
	at   time.Time
	view *status.View

	components, gaps, events func() []byte
}

// summarized are the answers of the API.
type summarized struct {
	status.Summary
	Components []status.Row    `json:"components,omitzero"`
	Gaps       []status.GapRow `json:"gaps,omitzero"`
	Events     []status.Event  `json:"events,omitzero"`
}

func newShown(v *status.View, at time.Time) *shown {
	part := func(part summarized) func() []byte {
		return sync.OnceValue(func() []byte {
			part.Summary = v.Summary
			return encoded(part)
		})
	}
	return &shown{
		at: at, view: v,
		components: part(summarized{Components: v.Components}),
		gaps:       part(summarized{Gaps: v.Gaps}),
		events:     part(summarized{Events: v.Events}),
	}
}

// encoded returns a value as JSON. The values have no text that is not UTF-8, and no number that is not finite.
func encoded(value any) []byte {
	content, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return append(content, '\n')
}

// show returns what is known now.
func (l *Liveness) show() *shown {
	l.shownMu.Lock()
	defer l.shownMu.Unlock()
	if l.shown == nil || time.Since(l.shown.at) >= refreshInterval {
		l.mu.Lock()
		now := time.Now() // as in Write
		v := l.status.View(now)
		l.mu.Unlock()
		l.shown = newShown(v, now)
	}
	return l.shown
}

// answer serves a part of what is known.
func (l *Liveness) answer(part func(*shown) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(part(l.show()))
	}
}

// health says whether what is shown is known.
func (l *Liveness) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v := l.show().view
	if !v.Known {
		http.Error(w, "not known: "+v.Problem, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
