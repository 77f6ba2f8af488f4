// Package option describes what is wrong with one configuration option, so that a loader that knows
// the file can add the place.
package option

import (
	"fmt"
	"time"
)

// Error says what is wrong with the value of one option and what is allowed instead.
type Error struct {
	Name    string // the option as it is written in the file
	Problem string // what is wrong, in the operator's words
	Allowed string // what would be right

	// Of an option in one of several tables within the plugin's own.
	Table  string // the name of these tables; empty: the option is in the plugin's own
	Number int    // which of them, from 0

	// If these tables are in one of several others.
	Outer       string
	OuterNumber int
}

// Within says that the option, or the table that it is in, is in one of several tables of the plugin.
func (e *Error) Within(table string, number int) {
	if e.Table == "" {
		e.Table, e.Number = table, number
	} else {
		e.Outer, e.OuterNumber = table, number
	}
}

// Error returns the one-line message: option, problem, remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("option %q: %s; %s", e.Name, e.Problem, e.Allowed)
}

// OutOfRange is the error of a number that is not from least to most.
func OutOfRange(name string, value, least, most int) *Error {
	return &Error{Name: name, Problem: fmt.Sprintf("%d is out of range", value), Allowed: fmt.Sprintf("use %d to %d", least, most)}
}

// TooSmall is the error of a duration below the smallest that makes sense.
func TooSmall(name string, value, smallest time.Duration) *Error {
	return &Error{
		Name:    name,
		Problem: fmt.Sprintf("%q is too short", value.String()),
		Allowed: fmt.Sprintf("use at least %q", smallest.String()),
	}
}
