package liveness

import (
	"io"
	"net/http"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

const (
	maxStreams = 200 // that are open at a time
	// streamBuffer is how many messages wait for a client at most; then it is dropped, and gets all anew.
	streamBuffer = 8
	// streamTimeout is how long a client may take for a message.
	streamTimeout  = 10 * time.Second
	maxShownGaps   = 200
	maxShownEvents = 200
)

// message is what the page is told: everything once, and then what has changed.
type message struct {
	status.Summary
	Full       bool            `json:"full,omitempty"`
	Components []status.Row    `json:"components,omitempty"`
	Removed    []status.Key    `json:"removed,omitempty"`
	Gaps       []status.GapRow `json:"gaps,omitempty"`
	Events     []status.Event  `json:"events,omitempty"` // the newest first
}

// client is an open page.
type client struct {
	messages chan []byte // closed when it is dropped
}

// streams tells all open pages at each refreshInterval what has changed. Its goroutine owns all but the channels.
type streams struct {
	show        func() *shown
	join, leave chan *client
	done        chan struct{} // closed by Close of the plugin

	clients map[*client]struct{}
	told    map[status.Key]status.Row // what all clients know
	event   uint64                    // the last one they know
	full    []byte                    // message with all they know; nil: not encoded yet
	view    *status.View
}

func newStreams(show func() *shown) *streams {
	return &streams{
		show: show, join: make(chan *client), leave: make(chan *client), done: make(chan struct{}),
		clients: make(map[*client]struct{}), told: make(map[status.Key]status.Row),
	}
}

// run works until done is closed.
func (s *streams) run() {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case c := <-s.join:
			s.add(c)
		case c := <-s.leave:
			s.drop(c)
		case <-ticker.C:
			if len(s.clients) > 0 {
				s.tell(encoded(s.next()))
			}
		}
	}
}

// add takes a client, and tells it all that the others know.
func (s *streams) add(c *client) {
	if len(s.clients) >= maxStreams {
		close(c.messages)
		return
	}
	if len(s.clients) == 0 { // what was told last may be old
		s.next()
	}
	if s.full == nil {
		s.full = encoded(message{
			Summary: s.view.Summary, Full: true, Components: s.view.Components,
			Gaps: first(s.view.Gaps, maxShownGaps), Events: first(s.view.Events, maxShownEvents),
		})
	}
	s.clients[c] = struct{}{}
	c.messages <- s.full
}

// drop closes the channel of a client, once. With the last one goes what is held for them.
func (s *streams) drop(c *client) {
	if _, known := s.clients[c]; known {
		delete(s.clients, c)
		close(c.messages)
	}
	if len(s.clients) == 0 {
		s.told, s.full, s.view = make(map[status.Key]status.Row), nil, nil
	}
}

// tell gives a message to all clients, and drops those that are too slow.
func (s *streams) tell(content []byte) {
	for c := range s.clients {
		select {
		case c.messages <- content:
		default:
			s.drop(c)
		}
	}
}

// next returns what has changed since the last message.
func (s *streams) next() message {
	s.view, s.full = s.show().view, nil
	m := message{Summary: s.view.Summary, Gaps: first(s.view.Gaps, maxShownGaps)}
	for _, event := range first(s.view.Events, maxShownEvents) {
		if event.Number > s.event {
			m.Events = append(m.Events, event)
		}
	}
	if len(m.Events) > 0 {
		s.event = m.Events[0].Number
	}
	for _, row := range s.view.Components {
		if told, ok := s.told[row.Key]; !ok || !row.Equal(told) {
			s.told[row.Key] = row
			m.Components = append(m.Components, row)
		}
	}
	if len(s.told) > len(s.view.Components) {
		m.Removed = s.forget()
	}
	return m
}

// forget removes what is told and not known any more.
func (s *streams) forget() (removed []status.Key) {
	current := make(map[status.Key]struct{}, len(s.view.Components))
	for _, row := range s.view.Components {
		current[row.Key] = struct{}{}
	}
	for k := range s.told {
		if _, ok := current[k]; !ok {
			delete(s.told, k)
			removed = append(removed, k)
		}
	}
	return removed
}

func first[T any](list []T, most int) []T {
	return list[:min(len(list), most)]
}

// stream serves an open page until it is closed.
func (s *streams) stream(w http.ResponseWriter, r *http.Request) {
	c := &client{messages: make(chan []byte, streamBuffer)}
	select {
	case s.join <- c:
	case <-s.done:
		return
	case <-r.Context().Done():
		return
	}
	defer func() {
		select {
		case s.leave <- c:
		case <-s.done:
		}
	}()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	for begun := false; ; begun = true {
		select {
		case content, ok := <-c.messages:
			if !ok {
				if !begun {
					http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
				}
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_ = control.SetWriteDeadline(time.Now().Add(streamTimeout))
			_, _ = io.WriteString(w, "data: ") // an error comes again in Flush
			_, _ = w.Write(content)            // JSON in one line
			_, _ = io.WriteString(w, "\n")
			if control.Flush() != nil {
				return
			}
		case <-s.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}
