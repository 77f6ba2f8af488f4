package chembus

import (
	"math"
	"math/bits"
	"strconv"
)

// parsePlain reads a heartbeat written as the components write almost all of them: compact JSON of ASCII
// without escapes, and no object in it but the facts. It looks at each byte once, which makes it several
// times as fast as the general way. What it reads it reads as ParseHeartbeat does; for everything else,
// good or bad, ok is false.
func parsePlain(payload string) (beat Heartbeat, ok bool) {
	m := plainMessage{plainScanner: newPlainScanner(payload)}
	if !m.scan() {
		return Heartbeat{}, false
	}
	return m.heartbeat()
}

// plainScanner goes through plain JSON, and takes in what a heartbeat says. Once it has failed it stays where it is.
type plainScanner struct {
	json   string
	at     int
	failed bool

	beat    Heartbeat
	handled int64 // incidents_handled; -1: not said
}

// plainMessage is a message, and where its values are.
type plainMessage struct {
	plainScanner
	values [maxValues]plainValue
	count  int // of the values, also of those for which there is no room
}

// maxValues is for how many values a plainMessage has room. A heartbeat has five to seven.
const maxValues = 12

// plainValue is where the value of a field is, quotes included.
type plainValue struct {
	field      plainField
	start, end int
}

// scan reads the whole message; false if it is not plain.
func (m *plainMessage) scan() bool {
	facts := 0
	for more := m.open(); more; more = m.more() {
		switch m.key() {
		case "ts":
			m.note(tsField)
		case "facts":
			facts++
			for more := m.open(); more; more = m.more() {
				switch m.key() {
				case "zooid":
					m.note(zooidField)
				case "niche":
					m.note(nicheField)
				case "processed_count":
					m.note(processedField)
				case "incidents_handled":
					m.note(handledField)
				case "uptime_s":
					m.note(uptimeField)
				default:
					m.note(otherField)
				}
			}
		default:
			m.skip()
		}
	}
	// Of facts that are repeated only the last ones count.
	return !m.failed && m.at == len(m.json) && facts == 1
}

// note reads the value of a field, and notes where it is.
func (m *plainMessage) note(field plainField) {
	start := m.at
	m.read(field)
	if m.count < maxValues {
		m.values[m.count] = plainValue{field, start, m.at}
	}
	m.count++
}

// plainField is a field of a heartbeat.
type plainField int

const (
	tsField plainField = iota
	zooidField
	nicheField
	processedField
	handledField
	uptimeField
	otherField // of the facts; its value does not matter
)

func newPlainScanner(payload string) plainScanner {
	return plainScanner{
		json: payload, handled: -1,
		beat: Heartbeat{Sent: math.NaN(), ProcessedCount: -1, Uptime: math.NaN()},
	}
}

// heartbeat returns what was read; false if a name is missing or too long.
func (s *plainScanner) heartbeat() (beat Heartbeat, ok bool) {
	beat = s.beat
	if beat.ProcessedCount < 0 {
		beat.ProcessedCount = s.handled
	}
	// Plain texts are valid names but for their length.
	return beat, 0 < len(beat.Zooid) && len(beat.Zooid) <= MaxNameLength && len(beat.Niche) <= MaxNameLength
}

// read reads the value of a field.
func (s *plainScanner) read(field plainField) {
	switch field {
	case tsField:
		s.beat.Sent = s.number()
	case zooidField:
		s.beat.Zooid = s.string()
	case nicheField:
		s.beat.Niche = s.string()
	case processedField:
		s.beat.ProcessedCount = countOf(s.number())
	case handledField:
		s.handled = countOf(s.number())
	case uptimeField:
		s.beat.Uptime = uptimeOf(s.number())
	case otherField:
		s.skip()
	}
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
	start := s.at
	negative := s.take('-')
	first := s.at
	mantissa, whole := s.digits(0)
	if whole == 0 || whole > 1 && s.json[first] == '0' {
		s.fail()
		return 0
	}
	places := 0
	if s.take('.') {
		if mantissa, places = s.digits(mantissa); places == 0 {
			s.fail()
			return 0
		}
	}
	exponent := s.take('e') || s.take('E')
	if exponent {
		if !s.take('+') {
			s.take('-')
		}
		if _, digits := s.digits(0); digits == 0 {
			s.fail()
			return 0
		}
	}
	if exponent || whole+places > maxDecimals {
		number, err := strconv.ParseFloat(s.json[start:s.at], 64)
		if err != nil {
			return math.NaN()
		}
		return number
	}
	if negative {
		return -decimal(mantissa, places)
	}
	return decimal(mantissa, places)
}

// digits passes digits, which it appends to those of a whole number. It returns how many there were.
func (s *plainScanner) digits(before uint64) (number uint64, count int) {
	json, at := s.json, s.at
	for at < len(json) && json[at]-'0' <= 9 {
		before = before*10 + uint64(json[at]-'0')
		at++
	}
	count, s.at = at-s.at, at
	return before, count
}

// maxDecimals is how many digits any uint64 can hold.
const maxDecimals = 19

// decimal returns mantissa / 10^places, rounded to the nearest float64, for up to maxDecimals places. It takes half as
// long as strconv.ParseFloat, which reads the digits once more.
func decimal(mantissa uint64, places int) float64 {
	if mantissa < 1<<53 {
		return float64(mantissa) / float64(powersOfTen[places]) // both are exact, so only the quotient is rounded
	}
	divisor := powersOfTen[places]
	up, down := bits.LeadingZeros64(mantissa), bits.LeadingZeros64(divisor)
	mantissa <<= up
	quotient, remainder := bits.Div64(mantissa>>1, mantissa<<63, divisor<<down) // of 63 bits or more
	if remainder != 0 {
		quotient |= 1 // far below the last digit, it only says that there is more
	}
	return math.Ldexp(float64(quotient), down-up-63)
}

var powersOfTen = func() (powers [maxDecimals + 1]uint64) {
	powers[0] = 1
	for i := range powers[1:] {
		powers[i+1] = powers[i] * 10
	}
	return powers
}()

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
		s.number()
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
