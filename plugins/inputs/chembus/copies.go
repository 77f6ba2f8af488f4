package chembus

import (
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// copyWindow is how far apart, by ts or by arrival, a stream's first heartbeat and its copy can be. Publishers
	// send the copy after 150 ms.
	copyWindow = 5 * time.Second
	// untimedCopyWindow replaces it for heartbeats without ts, whose regular beats are all alike.
	untimedCopyWindow = time.Second
	// maxRecent bounds the beats of one zooid that are remembered to recognise copies: one for each stream that may have
	// started within the window.
	maxRecent = 64
	// maxKept is for how many of them a zooid keeps the memory.
	maxKept = 8
	// maxRecentSignals bounds the signals remembered to recognise copies.
	maxRecentSignals = 4096
)

// recentBeats are the beats of a zooid whose copy may still come.
type recentBeats struct {
	beats  []recentBeat // a ring, in the order in which they came
	oldest int          // index of the oldest; 0 unless there are maxRecent
	latest float64      // no ts of theirs is later; 0 at first
}

// recentBeat identifies a beat.
type recentBeat struct {
	hash    uint64
	sent    float64       // its ts; NaN if it had none
	arrived time.Duration // since the start of the input
}

// IsCopy reports whether a beat is the copy of one that was heard within the window, and remembers it
// otherwise. A beat has one copy: a third one with the same bytes comes from a component whose clock
// stands still, and is a beat again.
func (r *recentBeats) IsCopy(hash uint64, sent float64, now time.Duration) bool {
	// A copy has the ts of the first one. So a beat whose ts is later than all of theirs is no copy, and the search is
	// saved for a component that sends very many.
	if !(sent > r.latest) {
		i := slices.IndexFunc(r.beats, func(b recentBeat) bool {
			return b.hash == hash && !(math.IsNaN(sent) && now-b.arrived > untimedCopyWindow)
		})
		if i >= 0 {
			i = r.straighten(i)
			r.beats = slices.Delete(r.beats, i, i+1)
			return true
		}
	}
	if len(r.beats) > 0 && now-r.beats[r.oldest].arrived > copyWindow {
		r.expire(sent, now)
	}
	if sent > r.latest || len(r.beats) == 0 {
		r.latest = sent
	}
	beat := recentBeat{hash: hash, sent: sent, arrived: now}
	if len(r.beats) < maxRecent {
		r.beats = append(r.beats, beat)
		return false
	}
	r.beats[r.oldest] = beat
	r.oldest = (r.oldest + 1) % maxRecent
	return false
}

// expire removes the beats whose copy cannot come any more, as of a beat that was sent and came at these times.
func (r *recentBeats) expire(sent float64, now time.Duration) {
	r.straighten(0)
	r.beats = slices.DeleteFunc(r.beats, func(b recentBeat) bool {
		// Both must be old: after a pause of the bus copies come late, but close by ts.
		return now-b.arrived > copyWindow && !(math.Abs(sent-b.sent) <= copyWindow.Seconds())
	})
	if len(r.beats) == 0 && cap(r.beats) > maxKept {
		r.beats = nil // so that no burst takes memory for good
	}
}

// straighten puts the oldest first, and returns where the beat at i is then.
func (r *recentBeats) straighten(i int) int {
	if r.oldest == 0 {
		return i
	}
	i = (i - r.oldest + maxRecent) % maxRecent
	r.beats = slices.Concat(r.beats[r.oldest:], r.beats[:r.oldest])
	r.oldest = 0
	return i
}

// signalCopies recognises the copy that publishers on the bus send of the first message of a topic, for all messages but
// heartbeats.
type signalCopies struct {
	seed  maphash.Seed
	heard *simplelru.LRU[uint64, time.Time]
}

func newSignalCopies() signalCopies {
	return signalCopies{seed: maphash.MakeSeed(), heard: newLRU[uint64](maxRecentSignals)}
}

// Copied reports whether the message was heard before, and remembers it otherwise. What is dated and was
// heard byte for byte is the same event, however late; what is not dated may happen again.
func (c *signalCopies) Copied(topic string, payload []byte, dated bool, now time.Time) bool {
	var hash maphash.Hash
	hash.SetSeed(c.seed)
	_, _ = hash.WriteString(topic + "\x00") // never fails
	_, _ = hash.Write(payload)
	id := hash.Sum64()
	if heard, known := c.heard.Peek(id); known && (dated || now.Sub(heard) <= untimedCopyWindow) {
		return true
	}
	c.heard.Add(id, now)
	return false
}
