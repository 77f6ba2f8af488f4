// Package glob matches names that come from a bus, or with metrics, with the globs of options.
package glob

import (
	"fmt"

	"github.com/influxdata/telegraf/filter"
)

// Globs are patterns as in Telegraf's own options. The zero value has none.
type Globs struct {
	filter filter.Filter
}

// Compile compiles globs. An error names the one that is none.
func Compile(patterns ...string) (Globs, error) {
	for _, pattern := range patterns {
		if _, err := filter.Compile([]string{pattern}); err != nil {
			return Globs{}, fmt.Errorf("%q is no glob: %w", pattern, err)
		}
	}
	f, err := filter.Compile(patterns)
	return Globs{f}, err
}

// Empty reports whether there are none.
func (g Globs) Empty() bool {
	return g.filter == nil
}

// Match reports whether one of the globs matches the name. The library behind Telegraf's filters panics on some names
// where braces in a glob do not pair; such a glob does not match them. No name may end the process.
func (g Globs) Match(name string) (matched bool) {
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
