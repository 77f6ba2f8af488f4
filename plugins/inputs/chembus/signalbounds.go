package chembus

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"
)

const (
	// maxSignalSeries bounds the combinations of tags that signals have; each of them is a series in
	// a database.
	maxSignalSeries = 10_000
	// maxRecentSignals bounds the signals remembered to recognise copies.
	maxRecentSignals = 4096
)

// signalSeries remembers which combinations of tags were heard.
type signalSeries struct {
	seed  maphash.Seed
	heard map[uint64]time.Time
	swept time.Time
}

// Admit reports whether there is room for these tags. The known ones are always admitted; those that were
// not heard for long make room.
func (s *signalSeries) Admit(tags map[string]string, now time.Time) bool {
	var hash maphash.Hash
	hash.SetSeed(s.seed)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		_, _ = hash.WriteString(key + "\x00" + tags[key] + "\x00") // never fails
	}
	id := hash.Sum64()
	if _, known := s.heard[id]; !known && len(s.heard) >= maxSignalSeries && !s.makeRoom(now) {
		return false
	}
	s.heard[id] = now
	return true
}

func (s *signalSeries) makeRoom(now time.Time) bool {
	if !s.swept.IsZero() && now.Sub(s.swept) < sweepInterval {
		return false
	}
	s.swept = now
	maps.DeleteFunc(s.heard, func(_ uint64, heard time.Time) bool { return now.Sub(heard) > forgetAfter })
	return len(s.heard) < maxSignalSeries
}

// signalCopies recognises the second copy that publishers on the bus send of the first message of a topic.
type signalCopies struct {
	seed  maphash.Seed
	heard map[uint64]time.Time
	order []uint64 // a ring, once it is full
	next  int
}

// Copied reports whether the message was heard before, and remembers it otherwise. What is dated and was
// heard byte for byte is the same event, however late; what is not dated may happen again.
func (c *signalCopies) Copied(topic string, payload []byte, dated bool, now time.Time) bool {
	var hash maphash.Hash
	hash.SetSeed(c.seed)
	_, _ = hash.WriteString(topic + "\x00") // never fails
	_, _ = hash.Write(payload)
	id := hash.Sum64()
	if heard, known := c.heard[id]; known {
		if dated || now.Sub(heard) <= untimedTapWindow {
			return true
		}
	} else if len(c.order) < maxRecentSignals {
		c.order = append(c.order, id)
	} else {
		delete(c.heard, c.order[c.next])
		c.order[c.next] = id
		c.next = (c.next + 1) % maxRecentSignals
	}
	c.heard[id] = now
	return false
}
