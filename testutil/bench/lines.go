package main

import (
	"bytes"
	"strconv"
)

// lines is a writer that calls take for each line, without its line end.
type lines struct {
	take func(line []byte)
	part []byte
}

// Write splits the text into lines.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			l.part = append(l.part, b...)
			return n, nil
		}
		line := b[:end]
		if len(l.part) > 0 {
			l.part = append(l.part, line...)
			line = l.part
		}
		l.take(line)
		l.part = l.part[:0]
		b = b[end+1:]
	}
}

// measurement returns the name of a metric in line protocol. No name or tag in the bench is escaped.
func measurement(line []byte) string {
	if end := bytes.IndexAny(line, ", "); end >= 0 {
		return string(line[:end])
	}
	return ""
}

// tag returns the value of a tag; empty if there is none.
func tag(line []byte, name string) string {
	_, rest, found := bytes.Cut(line, []byte(","+name+"="))
	if !found {
		return ""
	}
	if end := bytes.IndexAny(rest, ", "); end >= 0 {
		rest = rest[:end]
	}
	return string(rest)
}

// field returns the value of a numeric field; 0 if there is none.
func field(line []byte, name string) float64 {
	for _, before := range []string{",", " "} {
		_, rest, found := bytes.Cut(line, []byte(before+name+"="))
		if !found {
			continue
		}
		if end := bytes.IndexAny(rest, ", "); end >= 0 {
			rest = rest[:end]
		}
		number, err := strconv.ParseFloat(string(bytes.TrimRight(rest, "iu")), 64)
		if err == nil {
			return number
		}
	}
	return 0
}
