package chembus

import (
	"math"
	"strconv"
)

// parsePlain reads a heartbeat written as the components write almost all of them: compact JSON of ASCII
// without escapes, and no object in it but the facts. It looks at each byte once, which makes it several
// times as fast as the general way. What it reads it reads as ParseHeartbeat does; for everything else,
// good or bad, ok is false.
func parsePlain(payload string) (beat Heartbeat, ok bool) {
	beat = Heartbeat{Sent: math.NaN(), ProcessedCount: -1, Uptime: math.NaN()}
	s := plainScanner{json: payload}
	facts, handled := 0, int64(-1)
	for more := s.open(); more; more = s.more() {
		switch s.key() {
		case "ts":
			beat.Sent = s.number()
		case "facts":
			facts++
			for more := s.open(); more; more = s.more() {
				switch s.key() {
				case "zooid":
					beat.Zooid = s.string()
				case "niche":
					beat.Niche = s.string()
				case "processed_count":
					beat.ProcessedCount = countOf(s.number())
				case "incidents_handled":
					handled = countOf(s.number())
				case "uptime_s":
					beat.Uptime = uptimeOf(s.number())
				default:
					s.skip()
				}
			}
		default:
			s.skip()
		}
	}
	if beat.ProcessedCount < 0 {
		beat.ProcessedCount = handled
	}
	// Of facts that are repeated only the last ones count. Plain texts are valid names but for their length.
	ok = !s.failed && s.at == len(payload) && facts == 1 &&
		0 < len(beat.Zooid) && len(beat.Zooid) <= MaxNameLength && len(beat.Niche) <= MaxNameLength
	return beat, ok
}

// plainScanner goes through plain JSON. Once it has failed it stays where it is.
type plainScanner struct {
	json   string
	at     int
	failed bool
}

// open enters an object; false if that is empty.
func (s *plainScanner) open() bool {
	if !s.take('{') {
		return s.fail()
	}
	return !s.take('}')
}

// more goes on to the next key; false at the object's end.
func (s *plainScanner) more() bool {
	if s.take(',') {
		return true
	}
	if !s.take('}') {
		return s.fail()
	}
	return false
}

// key reads a key and the colon behind it.
func (s *plainScanner) key() string {
	key := s.string()
	if !s.take(':') {
		s.fail()
	}
	return key
}

// string reads a text.
func (s *plainScanner) string() string {
	json, at := s.json, s.at
	if at >= len(json) || json[at] != '"' {
		s.fail()
		return ""
	}
	at++
	start := at
	for at < len(json) && plainText[json[at]] {
		at++
	}
	if at == len(json) || json[at] != '"' {
		s.fail()
		return ""
	}
	s.at = at + 1
	return json[start:at]
}

// number reads a number; NaN if it is too large.
func (s *plainScanner) number() float64 {
	number, err := strconv.ParseFloat(s.figures(), 64)
	if err != nil {
		return math.NaN()
	}
	return number
}

// figures passes a number.
func (s *plainScanner) figures() string {
	start := s.at
	s.take('-')
	if !s.take('0') && !s.digits() || s.take('.') && !s.digits() {
		s.fail()
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			s.fail()
		}
	}
	return s.json[start:s.at]
}

// digits passes at least one digit.
func (s *plainScanner) digits() bool {
	start := s.at
	for s.at < len(s.json) && '0' <= s.json[s.at] && s.json[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// skip passes a value that is a text, a number or a word.
func (s *plainScanner) skip() {
	if s.at == len(s.json) {
		s.fail()
		return
	}
	switch s.json[s.at] {
	case '"':
		s.string()
	case 'n':
		s.word("null")
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	default:
		s.figures()
	}
}

func (s *plainScanner) word(word string) {
	end := s.at + len(word)
	if end > len(s.json) || s.json[s.at:end] != word {
		s.fail()
		return
	}
	s.at = end
}

// take passes a character if it is the next.
func (s *plainScanner) take(c byte) bool {
	if s.at < len(s.json) && s.json[s.at] == c {
		s.at++
		return true
	}
	return false
}

// fail ends the scan: nothing is found behind the end.
func (s *plainScanner) fail() bool {
	s.failed, s.at = true, len(s.json)
	return false
}

// plainText tells which characters a plain text may have.
var plainText = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()
