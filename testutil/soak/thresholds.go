package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// inForce is a threshold that the processor reported.
type inForce struct {
	at, threshold time.Duration
}

// readThresholds returns the thresholds of all components that Telegraf wrote to a file. It fails if there is none, or one
// out of bounds.
func readThresholds(path string, start time.Time) (map[string][]inForce, error) {
	s, err := newSeen(path)
	if err != nil {
		return nil, err
	}
	reported := make(map[string][]inForce)
	s.inForce = func(zooid string, at time.Time, threshold time.Duration) {
		if threshold < minThreshold || threshold > maxThreshold {
			err = fmt.Errorf("the threshold of %q is %v, not from %v to %v", zooid, threshold, minThreshold, maxThreshold)
		}
		reported[zooid] = append(reported[zooid], inForce{at.Sub(start), threshold})
	}
	if failed := s.Update(); failed != nil {
		return nil, failed
	}
	if len(reported) == 0 {
		return nil, fmt.Errorf("there is no threshold in %s", path)
	}
	for _, all := range reported {
		slices.SortStableFunc(all, func(a, b inForce) int { return cmp.Compare(a.at, b.at) })
	}
	return reported, err
}

// thresholdOf returns the shortest and the longest threshold that was in force during a death: those that were reported
// in it, or if there is none, the last one before.
func (l *ledger) thresholdOf(d death) (shortest, longest time.Duration) {
	if l.adaptive == nil {
		return l.threshold, l.threshold
	}
	shortest, longest = l.threshold, l.threshold // until its rhythm is known
	before := true
	for _, f := range l.adaptive[d.zooid] {
		switch {
		case f.at > d.revived:
			return shortest, longest
		case f.at < d.lastBeat || before:
			shortest, longest = f.threshold, f.threshold
			before = f.at < d.lastBeat
		default:
			shortest, longest = min(shortest, f.threshold), max(longest, f.threshold)
		}
	}
	return shortest, longest
}

// thresholds returns the longest threshold of each death in ascending order; nil if they are not adaptive.
func (l *ledger) thresholds() []time.Duration {
	if l.adaptive == nil {
		return nil
	}
	all := make([]time.Duration, 0, len(l.deaths))
	for _, d := range l.deaths {
		_, longest := l.thresholdOf(d)
		all = append(all, longest)
	}
	slices.Sort(all)
	return all
}
