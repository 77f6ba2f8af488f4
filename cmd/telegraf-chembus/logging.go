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

// maxLogLine bounds a line of the log with its line end. Telegraf reads the logs of its child processes
// by lines, and stops reading for good at one of 64 KiB.
const maxLogLine = 8 << 10

// A lineLog writes what is logged in the form in which Telegraf's execd plugins recognise the level:
// one line for each call that begins with the level.
type lineLog struct {
	source string    // who logs, unless the logger says so
	info   io.Writer // for informational levels
	warn   io.Writer // for warnings and errors

	mu sync.Mutex
}

// install makes l the only destination of Telegraf's loggers, and so of the standard library's, which
// Telegraf has connected to them. The function that it returns ends that.
func (l *lineLog) install() (uninstall func(), err error) {
	// The callback gets level and message apart; a redirected writer would get them as a line that
	// starts with the time and cannot be taken apart again for sure.
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
	l.mu.Lock()
	defer l.mu.Unlock()
	// There is no one left to tell when the log itself cannot be written.
	_, _ = io.WriteString(w, logLine(level, source, fmt.Sprint(args...)))
}

// logLine puts a message of any content and length into one line. What would break the line or act on
// a terminal is escaped.
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
