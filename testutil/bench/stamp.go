package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// stampedBeat is an encoded heartbeat. Before it is sent, only its times are overwritten.
type stampedBeat struct {
	payload []byte
	times   [][]byte // slices of the payload
}

// blankTime marks the times in a payload: epoch seconds with six decimals.
const blankTime = 1111111111.111113

// newStampedBeat encodes the heartbeat of a zooid as an emitter does.
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

// stamp returns the payload with the times set to now. It is valid until the next call.
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
	for _, t := range b.times[1:] {
		copy(t, first)
	}
	return b.payload
}

// stampedBeats returns the beats of n zooids.
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

// zooidNumber returns the number in a name of zooidName.
func zooidNumber(name string) int {
	i, err := strconv.Atoi(strings.TrimPrefix(name, zooidPrefix))
	if err != nil {
		panic(fmt.Sprintf("invalid zooid %q", name))
	}
	return i
}
