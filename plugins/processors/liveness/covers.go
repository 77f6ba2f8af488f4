package liveness

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// covers reports whether whatever matches one of the later globs matches one of the earlier for sure. No
// globs match everything.
func covers(earlier, later []string) bool {
	if len(earlier) == 0 || slices.Equal(earlier, later) {
		return true
	}
	if len(later) == 0 {
		later = []string{"*"}
	}
	for _, l := range later {
		if !slices.ContainsFunc(earlier, func(e string) bool { return globCovers(e, l) }) {
			return false
		}
	}
	return true
}

// globCovers reports whether one glob matches for sure what another does. What a set or an alternative stands
// for is not worth working out.
func globCovers(earlier, later string) bool {
	return !strings.ContainsAny(earlier+later, `[]{},!\`) && takes(earlier, later)
}

// takes matches a glob with another one: its "*" takes anything, its "?" any ASCII character but a "*", all
// else itself.
func takes(glob, other string) bool {
	switch {
	case glob == "":
		return other == ""
	case glob[0] == '*':
		return takes(glob[1:], other) || other != "" && takes(glob, other[1:])
	case other == "" || other[0] == '*':
		return false
	case glob[0] == '?':
		return other[0] < utf8.RuneSelf && takes(glob[1:], other[1:])
	}
	return glob[0] == other[0] && takes(glob[1:], other[1:])
}
