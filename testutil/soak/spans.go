package main

import (
	"cmp"
	"slices"
	"time"
)

// span is a time span. Both times count from the start of the campaign.
type span struct {
	from, to time.Duration
}

// spans are disjoint spans in the order of time.
type spans []span

// union returns the union of spans.
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

// outside returns the parts of a span that are in none of the spans.
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

// total returns the sum of the lengths.
func (s spans) total() time.Duration {
	var sum time.Duration
	for _, part := range s {
		sum += part.to - part.from
	}
	return sum
}

// longest returns the length of the longest span.
func (s spans) longest() time.Duration {
	var most time.Duration
	for _, part := range s {
		most = max(most, part.to-part.from)
	}
	return most
}

// when returns the time at which that much of the spans has passed; false if they are shorter.
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

// at returns the span that contains a time; false if none does.
func (s spans) at(moment time.Duration) (span, bool) {
	for _, part := range s {
		if part.from <= moment && moment < part.to {
			return part, true
		}
	}
	return span{}, false
}

// contain reports whether a span lies within one of the spans.
func (s spans) contain(whole span) bool {
	return slices.ContainsFunc(s, func(part span) bool { return part.from <= whole.from && whole.to <= part.to })
}
