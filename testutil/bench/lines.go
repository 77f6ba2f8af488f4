package main

import (
	"bytes"
	"strconv"
)

// lines is the writer that a process prints to: it hands on each line, without its end.
type lines struct {
	take func(line []byte)
	part []byte
}

// Write takes in what was printed.
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

// measurement returns the name of a metric in line protocol. None in here needs escapes.
func measurement(line []byte) string {
	if end := bytes.IndexAny(line, ", "); end >= 0 {
		return string(line[:end])
	}
	return ""
}

// tag returns a tag's value; empty if there is none.
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

// field returns a number's value; 0 if there is none.
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
