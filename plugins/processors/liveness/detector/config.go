package detector

import "time"

// Config is what detectors go by; every duration is observed time.
type Config struct {
	BlindAfter     time.Duration // a longer step of an input's clock adds nothing
	ReportInterval time.Duration

	// Rule returns what applies to a component. It must give the same answer for the same question.
	Rule func(key, niche string) *Rule

	// Ignored says which components are not judged. No beats of them come, but a former run may have
	// judged them. Nil: there are none.
	Ignored func(key string) bool

	// TicksOnly says that only ticks move the clock: a beat proves that its component lives, and not that beats of others
	// could have been heard.
	TicksOnly bool
	// SameWithin is how far apart, by the input's clock, beats of a component can be that are one: their sender says the same
	// time with each.
	SameWithin time.Duration

	Scope    string // a part of the incident ids, so that the same key elsewhere fails for itself; empty: there is none
	MinBeats int64  // the silence of a component that was heard less often is no gap

	Identity     string        // what keys are made of; those of a former run with another are not judged
	Expected     []string      // keys of components that must appear on every bus
	ExpectWithin time.Duration // and how soon

	OutageCount  int           // this many gaps
	OutageWindow time.Duration // in this time: what follows is one incident
	FlapCount    int           // this many gaps of one component
	FlapWindow   time.Duration // in this time: it is flapping, until it is stable for as long

	MaxComponents int // that are kept; 0: any number

	Adaptive *Adaptive // nil: every component is judged by its rule's threshold
}

// Rule is what applies to a component.
type Rule struct {
	Threshold   time.Duration // silence longer than this is a gap
	LateAfter   time.Duration // silence longer than this is late; at most Threshold
	RetireAfter time.Duration // after silence longer than this it is retired
	AdaptUpTo   time.Duration // the threshold may be adapted up to here, if that is more than Adaptive.Max
	Severity    string        // of its gaps
	Actions     []string      // that are recommended when it is silent
	Unit        string        // of systemd that runs it; empty: not known
	Gaps        bool          // false: its silence is no gap
	Unnamed     bool          // it has no name: it makes room for others first
}
