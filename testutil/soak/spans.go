package main

import (
	"cmp"
	"slices"
	"time"
)

// span is the time from one moment to another, both counted from the start of the campaign.
type span struct {
	from, to time.Duration
}

// spans are spans in the order of time that do not touch each other.
type spans []span

// union returns the time that is in any of the spans given.
func union(all []span) spans {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged spans
	for _, s := range all {
		switch last := len(merged) - 1; {
		case s.to <= s.from:
		case last >= 0 && s.from <= merged[last].to:
			merged[last].to = max(merged[last].to, s.to)
		default:
			merged = append(merged, s)
		}
	}
	return merged
}

// outside returns the parts of a span that are in none of these.
func (s spans) outside(of span) spans {
	var free spans
	from := of.from
	for _, taken := range s {
		if taken.to <= from {
			continue
		}
		if taken.from >= of.to {
			break
		}
		if taken.from > from {
			free = append(free, span{from, taken.from})
		}
		from = taken.to
	}
	if from < of.to {
		free = append(free, span{from, of.to})
	}
	return free
}

// total is how much time the spans are.
func (s spans) total() time.Duration {
	var sum time.Duration
	for _, part := range s {
		sum += part.to - part.from
	}
	return sum
}

// longest is the length of the longest span.
func (s spans) longest() time.Duration {
	var most time.Duration
	for _, part := range s {
		most = max(most, part.to-part.from)
	}
	return most
}

// when returns the moment at which that much of the time in the spans has passed; false if there is less.
func (s spans) when(passed time.Duration) (time.Duration, bool) {
	for _, part := range s {
		if length := part.to - part.from; passed > length {
			passed -= length
			continue
		}
		return part.from + passed, true
	}
	return 0, false
}

// at returns the span that holds a moment; false if none does.
func (s spans) at(moment time.Duration) (span, bool) {
	for _, part := range s {
		if part.from <= moment && moment < part.to {
			return part, true
		}
	}
	return span{}, false
}

// hold reports whether a span lies within one of these.
func (s spans) hold(whole span) bool {
	return slices.ContainsFunc(s, func(part span) bool { return part.from <= whole.from && whole.to <= part.to })
}
