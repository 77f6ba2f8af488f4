package main

import (
	"bytes"
	"time"
)

// deaths are of components or of hosts.
type deaths struct {
	deadlines map[string]time.Time // of those that have died
	opened    map[string]time.Time // when the first metric came that a gap has opened
}

func newDeaths() deaths { return deaths{map[string]time.Time{}, map[string]time.Time{}} }

// take takes a metric liveness_gap of what a key names.
func (d *deaths) take(key string, metric []byte, now time.Time) {
	if bytes.Contains(metric, []byte(`event="opened"`)) && d.opened[key].IsZero() {
		d.opened[key] = now
	}
}

// delays returns by how many seconds the gaps came after the deadlines.
func (d *deaths) delays() []float64 {
	var delays []float64
	for key, deadline := range d.deadlines {
		if at, ok := d.opened[key]; ok {
			delays = append(delays, at.Sub(deadline).Seconds())
		}
	}
	return delays
}
