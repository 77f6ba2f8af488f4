package liveness

import (
	"maps"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEachOptionOfAWatchHasACase looks for a case that sets the option to something else than its default.
func TestEachOptionOfAWatchHasACase(t *testing.T) {
	set := make(map[string]bool)
	var compare func(prefix string, value, standard reflect.Value)
	compare = func(prefix string, value, standard reflect.Value) {
		for i := range value.NumField() {
			field := value.Type().Field(i)
			name := prefix + field.Tag.Get("toml")
			switch {
			case field.Anonymous:
				compare(prefix, value.Field(i), standard.Field(i))
			case name != prefix:
				set[name] = set[name] || !reflect.DeepEqual(value.Field(i).Interface(), standard.Field(i).Interface())
			}
		}
	}
	for _, name := range cases(t) {
		for _, w := range newReplay(t, name).Watches {
			compare("", reflect.ValueOf(*w), reflect.ValueOf(*newWatch(t)))
			for _, o := range w.Overrides {
				compare("override.", reflect.ValueOf(*o), reflect.ValueOf(WatchOverride{}))
			}
		}
	}
	require.Greater(t, len(set), 20)
	maps.DeleteFunc(set, func(_ string, is bool) bool { return is })
	require.Empty(t, set, "options that no case sets")
}
