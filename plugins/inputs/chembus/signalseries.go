package chembus

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxSignalSeries bounds the combinations of tags that signals have; each of them is a series in a database.
	maxSignalSeries = 10_000
	// evictAfter is how long a combination must not have been heard to make room in a full table.
	evictAfter = time.Hour
)

// newLRU returns a table of times that removes the oldest entry when there are more than size.
func newLRU[Key comparable](size int) *simplelru.LRU[Key, time.Time] {
	table, err := simplelru.NewLRU[Key, time.Time](size, nil)
	if err != nil {
		panic(err) // of a size below 1
	}
	return table
}

// signalSeries remembers which combinations of tags were heard.
type signalSeries struct {
	seed  maphash.Seed
	heard *simplelru.LRU[uint64, time.Time] // when last
}

func newSignalSeries() signalSeries {
	return signalSeries{seed: maphash.MakeSeed(), heard: newLRU[uint64](maxSignalSeries)}
}

// Admit reports whether there is room for these tags. Known ones are always admitted; one that was not heard for
// evictAfter makes room.
func (s *signalSeries) Admit(tags map[string]string, now time.Time) bool {
	var hash maphash.Hash
	hash.SetSeed(s.seed)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		_, _ = hash.WriteString(key + "\x00" + tags[key] + "\x00") // never fails
	}
	id := hash.Sum64()
	if !s.heard.Contains(id) && s.heard.Len() == maxSignalSeries {
		if _, last, _ := s.heard.GetOldest(); now.Sub(last) <= evictAfter {
			return false
		}
	}
	s.heard.Add(id, now)
	return true
}
