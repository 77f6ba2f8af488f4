package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/logger"
)

// maxLogLine is the maximum length of a log line in bytes, with its line end. Telegraf reads the logs of its child
// processes by lines, and stops reading at a line of 64 KiB.
const maxLogLine = 8 << 10

// A lineLog writes log messages in the form that Telegraf's execd plugins understand: one line per message,
// beginning with the level.
type lineLog struct {
	source string    // plugin name for messages whose logger has none
	info   io.Writer // for informational levels
	warn   io.Writer // for warnings and errors

	mu   sync.Mutex
	hold bool
	held []func() // that write what was logged since Hold
}

// Hold keeps what is logged from now on until Release or Drop.
func (l *lineLog) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = true
}

// Release writes what was kept, and what is logged from now on.
func (l *lineLog) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, write := range l.held {
		write()
	}
	l.hold, l.held = false, nil
}

// Drop forgets what was kept. What is logged from now on is written.
func (l *lineLog) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold, l.held = false, nil
}

// install makes l the only destination of Telegraf's loggers and of the standard library's, which Telegraf has
// redirected. The returned function undoes it.
func (l *lineLog) install() (uninstall func(), err error) {
	// A callback receives level and message separately; a redirected writer would receive a line that begins with
	// the time and cannot be parsed reliably.
	logger.RedirectLogging(io.Discard)
	id, err := logger.AddCallback(l.print)
	if err != nil {
		return nil, fmt.Errorf("setting up the log: %w", err)
	}
	return func() { logger.RemoveCallback(id) }, nil
}

func (l *lineLog) print(level telegraf.LogLevel, _ time.Time, source string, _ map[string]any, args ...any) {
	w := l.info
	if telegraf.Warn.Includes(level) {
		w = l.warn
	}
	if source == "" {
		source = l.source
	}
	line := logLine(level, source, fmt.Sprint(args...))
	// An error in writing the log cannot be reported anywhere.
	write := func() { _, _ = io.WriteString(w, line) }
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold {
		l.held = append(l.held, write)
	} else {
		write()
	}
}

// logLine formats any message as one line of limited length. Line breaks and control characters are escaped.
func logLine(level telegraf.LogLevel, source, message string) string {
	const cut = "… (cut)"
	var line strings.Builder
	line.WriteString(level.Indicator() + " ")
	if source != "" {
		line.WriteString("[" + source + "] ")
	}
	message = strings.TrimRight(message, "\r\n")
	for len(message) > 0 {
		r, size := utf8.DecodeRuneInString(message)
		piece := message[:size]
		switch {
		case r == utf8.RuneError && size == 1:
			piece = fmt.Sprintf(`\x%02x`, message[0])
		case !strconv.IsPrint(r):
			piece = strings.Trim(strconv.QuoteRune(r), "'")
		}
		if line.Len()+len(piece)+len(cut)+len("\n") > maxLogLine {
			line.WriteString(cut)
			break
		}
		line.WriteString(piece)
		message = message[size:]
	}
	line.WriteByte('\n')
	return line.String()
}
