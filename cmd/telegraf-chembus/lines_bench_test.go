package main

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkPassLine reads a heartbeat and passes it on.
func BenchmarkPassLine(b *testing.B) {
	b.ReportAllocs()
	r := newLineReader(strings.NewReader(strings.Repeat(beatLine, b.N)))
	s := newStream(io.Discard, nil)
	for range b.N {
		m, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		s.AddMetric(m)
	}
}
