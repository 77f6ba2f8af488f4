package liveness

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/influxdata/telegraf/filter"
)

// globs match the names of components or niches.
type globs struct {
	filter filter.Filter // nil: there are none
}

func compileGlobs(patterns []string) (globs, error) {
	for _, pattern := range patterns {
		if _, err := filter.Compile([]string{pattern}); err != nil {
			return globs{}, fmt.Errorf("%q is no glob: %w", pattern, err)
		}
	}
	f, err := filter.Compile(patterns)
	return globs{f}, err
}

// Match reports whether one of the globs matches the name. The library behind Telegraf's filters panics
// on some names where braces in a glob do not pair; such a glob does not match them. Names come from the
// bus, and none may end the process.
func (g globs) Match(name string) (matched bool) {
	if g.filter == nil {
		return false
	}
	defer func() {
		if recover() != nil {
			matched = false
		}
	}()
	return g.filter.Match(name)
}

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
