package chembus

const (
	// maxLayouts is how many layouts are remembered. The components of a colony have two or three.
	maxLayouts = 4
	// maxLayoutLength is how long a payload can be to be remembered, in bytes.
	maxLayoutLength = 512
)

// HeartbeatParser reads heartbeats as ParseHeartbeat does, but faster: it remembers how the last ones were laid out. The
// payloads of a component differ in few values only. What is between these need not be understood again, only be the
// same. The zero value is ready to use.
type HeartbeatParser struct {
	layouts [maxLayouts]layout
	latest  int // index of the layout of the last heartbeat
}

// Parse reads the payload of a heartbeat. The reason is empty if it is one.
func (p *HeartbeatParser) Parse(payload string) (Heartbeat, Reject) {
	for i := range maxLayouts {
		i = (p.latest + i) % maxLayouts
		if beat, ok := p.layouts[i].parse(payload); ok {
			p.latest = i
			return beat, ""
		}
	}
	m := plainMessage{plainScanner: newPlainScanner(payload)}
	if m.scan() {
		if beat, ok := m.heartbeat(); ok {
			p.remember(&m)
			return beat, ""
		}
	}
	return parseAny(payload)
}

// remember keeps the layout of a message that was read, in the place of the one after the latest.
func (p *HeartbeatParser) remember(m *plainMessage) {
	if len(m.json) > maxLayoutLength || m.count > maxValues {
		return
	}
	p.latest = (p.latest + 1) % maxLayouts
	l := &p.layouts[p.latest]
	l.length = copy(l.text[:], m.json)
	l.values, l.count = m.values, m.count
}

// layout is a plain message, and where its values are.
type layout struct {
	text   [maxLayoutLength]byte
	length int // 0: there is none
	values [maxValues]plainValue
	count  int
}

// parse reads a message that differs from the one of the layout in the values only; false for all others.
func (l *layout) parse(payload string) (beat Heartbeat, ok bool) {
	s := newPlainScanner(payload)
	from := 0
	for _, v := range l.values[:l.count] {
		if !s.pass(l.text[from:v.start]) {
			return Heartbeat{}, false
		}
		s.read(v.field)
		from = v.end
	}
	if l.length == 0 || s.failed || payload[s.at:] != string(l.text[from:l.length]) {
		return Heartbeat{}, false
	}
	return s.heartbeat()
}

// pass passes a text if it is the next.
func (s *plainScanner) pass(text []byte) bool {
	end := s.at + len(text)
	if end > len(s.json) || s.json[s.at:end] != string(text) {
		return false
	}
	s.at = end
	return true
}
