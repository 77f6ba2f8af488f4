package watch

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/text/unicode/bidi"
)

// A column of the table.
type column struct {
	title   string
	right   bool // aligned to the right
	dropped int  // order in which columns are dropped on a narrow terminal; 0: never
	cell    func(z *Zooid) string
}

var columns = []column{
	{"ZOOID", false, 0, func(z *Zooid) string { return named(z.Name) }},
	{"NICHE", false, 4, func(z *Zooid) string { return named(z.Niche) }},
	{"STATE", false, 0, func(z *Zooid) string { return z.State }},
	{"SILENCE", true, 0, func(z *Zooid) string { return span(z.SilenceS) }},
	{"THRESHOLD", true, 6, func(z *Zooid) string { return span(z.ThresholdS) }},
	{"SINCE", true, 5, func(z *Zooid) string { return optionalSpan(z.SinceS) }},
	{"INTERVAL", true, 3, func(z *Zooid) string { return optionalSpan(z.IntervalS) }},
	{"BEATS", true, 2, func(z *Zooid) string { return strconv.FormatInt(z.Beats, 10) }},
	{"LAG", true, 1, func(z *Zooid) string { return latency(z.LagS) }},
}

const (
	columnGap = 2
	droppable = 6 // number of columns that can be dropped
	// minName is the width, in cells, below which names and niches are not shortened.
	minName = 16
	// maxPadded is the maximum width of a column where lines may have any length. A longer cell moves the rest of its
	// line to the right.
	maxPadded = 40
	// unlimited is a width for output other than a terminal.
	unlimited = math.MaxInt
)

// table is the layout of a snapshot's zooids as lines.
type table struct {
	columns []column
	widths  []int
	clip    bool // shorten cells to their widths
}

// layOut chooses the columns and their widths so that a line fits into width.
func layOut(zooids []Zooid, width int) table {
	t := table{columns: slices.Clone(columns), clip: width != unlimited}
	for _, c := range t.columns {
		w := len(c.title)
		for i := range zooids {
			w = max(w, displaywidth.String(c.cell(&zooids[i])))
		}
		if !t.clip {
			w = min(w, maxPadded)
		}
		t.widths = append(t.widths, w)
	}
	if !t.clip {
		return t
	}
	// Names and niches are shortened first, then columns are dropped. So a long name drops no column.
	const name, niche = 0, 1
	wanted := t.widths[niche]
	t.widths[niche] = min(wanted, minName)
	for drop := 1; t.without(name)+min(t.widths[name], minName) > width && drop <= droppable; drop++ {
		i := slices.IndexFunc(t.columns, func(c column) bool { return c.dropped == drop })
		t.columns, t.widths = slices.Delete(t.columns, i, i+1), slices.Delete(t.widths, i, i+1)
	}
	t.widths[name] = min(t.widths[name], max(width-t.without(name), minName))
	if len(t.columns) == len(columns) {
		t.widths[niche] = min(wanted, width-t.without(niche))
	}
	return t
}

// without returns the width of a line without one column, whose gap is included.
func (t table) without(column int) int {
	total := columnGap * (len(t.widths) - 1)
	for i, w := range t.widths {
		if i != column {
			total += w
		}
	}
	return total
}

// head returns the line with the titles.
func (t table) head() string {
	return t.line(func(c column) string { return c.title })
}

// row returns the line of a zooid.
func (t table) row(z *Zooid) string {
	return t.line(func(c column) string { return c.cell(z) })
}

func (t table) line(cell func(column) string) string {
	var line strings.Builder
	for i, c := range t.columns {
		text := cell(c)
		if t.clip {
			text = displaywidth.TruncateString(text, t.widths[i], "…")
		}
		if i > 0 {
			line.WriteString(strings.Repeat(" ", columnGap))
		}
		padding := strings.Repeat(" ", max(t.widths[i]-displaywidth.String(text), 0))
		if c.right {
			line.WriteString(padding + text)
		} else {
			line.WriteString(text + padding)
		}
	}
	return strings.TrimRight(line.String(), " ")
}

// WriteTable writes the snapshot as text without escape sequences.
func (s *Snapshot) WriteTable(w io.Writer) error {
	t := layOut(s.Zooids, unlimited)
	var lines []string
	for _, l := range s.header() {
		lines = append(lines, l.text)
	}
	lines = append(lines, "", t.head())
	for i := range s.Zooids {
		lines = append(lines, t.row(&s.Zooids[i]))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// span formats a time in seconds with few digits.
func span(seconds float64) string {
	sign, s := "", seconds
	if s < 0 {
		sign, s = "-", -s
	}
	switch {
	case s < 59.95:
		return sign + strconv.FormatFloat(s, 'f', 1, 64) + "s"
	case s < 3600:
		return fmt.Sprintf("%s%dm%02ds", sign, int(s)/60, int(s)%60)
	case s < 86400:
		return fmt.Sprintf("%s%dh%02dm", sign, int(s)/3600, int(s)/60%60)
	case s < 1000*86400:
		return fmt.Sprintf("%s%dd%02dh", sign, int(s)/86400, int(s)/3600%24)
	}
	return sign + ">999d"
}

// latency formats a time in seconds that may be very short; "-" if unknown.
func latency(seconds *float64) string {
	if seconds == nil || math.Abs(*seconds) >= 0.09995 {
		return optionalSpan(seconds)
	}
	return strconv.FormatFloat(*seconds*1e3, 'f', 1, 64) + "ms"
}

func optionalSpan(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return span(*seconds)
}

// named returns a name in printable form, with each backslash doubled so that different names stay different.
func named(name string) string {
	return printable(strings.ReplaceAll(name, `\`, `\\`))
}

// printable returns a text that a terminal prints from left to right in its own cells. The input rejects control
// characters; format characters, combining marks and right-to-left letters are escaped here, as in a Go string.
func printable(text string) string {
	plain := func(r rune) bool {
		if !strconv.IsPrint(r) || unicode.Is(unicode.M, r) {
			return false
		}
		p, _ := bidi.LookupRune(r)
		return p.Class() != bidi.R && p.Class() != bidi.AL && p.Class() != bidi.AN
	}
	text = strings.ToValidUTF8(text, string(unicode.ReplacementChar))
	if !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	var shown strings.Builder
	for _, r := range text {
		if plain(r) {
			shown.WriteRune(r)
		} else {
			shown.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return shown.String()
}

// wrap breaks a line at spaces so that each part fits into width. All parts but the first are indented like the
// values of the header.
func wrap(text string, width int) []string {
	const indent = "        "
	var parts []string
	for displaywidth.String(text) > width {
		head := displaywidth.TruncateString(text, width, "")
		if space := strings.LastIndexByte(head, ' '); space > len(indent) {
			head = head[:space]
		}
		if head == "" || width <= 2*len(indent) {
			break // too narrow; the terminal cuts the line off
		}
		parts = append(parts, strings.TrimRight(head, " "))
		text = indent + strings.TrimLeft(text[len(head):], " ")
	}
	return append(parts, text)
}

// pad fills a line with spaces up to width.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-displaywidth.String(text), 0))
}
