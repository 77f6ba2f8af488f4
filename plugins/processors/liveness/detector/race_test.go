//go:build race

package detector

// underRace says that tests run under the race detector. They take many times as long then, and nothing in this package is
// concurrent, so they do less.
const underRace = true
