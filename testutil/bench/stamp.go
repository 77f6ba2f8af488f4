package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// stampedBeat is a heartbeat that is written once. Before each sending only its times are written over.
type stampedBeat struct {
	payload []byte
	times   [][]byte // parts of the payload
}

// blankTime marks where a payload's times are, epoch seconds with six decimals.
const blankTime = 1111111111.111113

// newStampedBeat writes the heartbeat of a zooid as its emitter would.
func newStampedBeat(name string) *stampedBeat {
	b := &stampedBeat{payload: colony.Heartbeat{
		Zooid: name, Niche: "bench", Uptime: blankTime, ProcessedCount: 7, TS: blankTime,
	}.Payload()}
	mark := fmt.Appendf(nil, "%.6f", blankTime)
	for rest := b.payload; ; {
		at := bytes.Index(rest, mark)
		if at < 0 {
			return b
		}
		b.times = append(b.times, rest[at:at+len(mark)])
		rest = rest[at+len(mark):]
	}
}

// stamp returns the payload of a heartbeat sent now. It is valid until the next stamp.
func (b *stampedBeat) stamp(now time.Time) []byte {
	micros := now.UnixMicro()
	first := b.times[0]
	for i := len(first) - 1; i >= 0; i-- {
		if first[i] == '.' {
			continue
		}
		first[i] = byte('0' + micros%10)
		micros /= 10
	}
	for _, other := range b.times[1:] {
		copy(other, first)
	}
	return b.payload
}

// stampedBeats are those of so many zooids.
func stampedBeats(n int) []*stampedBeat {
	beats := make([]*stampedBeat, n)
	for i := range beats {
		beats[i] = newStampedBeat(zooidName(i))
	}
	return beats
}

const zooidPrefix = "zooid_of_bench_"

func zooidName(i int) string {
	return fmt.Sprintf("%s%06d", zooidPrefix, i)
}

// zooidNumber is the number that a name was made of.
func zooidNumber(name string) int {
	i, err := strconv.Atoi(strings.TrimPrefix(name, zooidPrefix))
	if err != nil {
		panic(fmt.Sprintf("there is no zooid %q in the bench", name))
	}
	return i
}
