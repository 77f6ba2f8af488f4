package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/template"
	"github.com/influxdata/toml/ast"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// expand replaces environment variables in the strings of a value as Telegraf's configuration does: a variable
// that is not set is left as written. It returns the names of those.
func expand(value ast.Value) (expanded ast.Value, unset []string, err error) {
	switch v := value.(type) {
	case *ast.Array:
		array := *v
		array.Value = make([]ast.Value, len(v.Value))
		for i, element := range v.Value {
			var names []string
			if array.Value[i], names, err = expand(element); err != nil {
				return nil, nil, err
			}
			unset = append(unset, names...)
		}
		return &array, unset, nil
	case *ast.String:
		text := *v
		text.Value, err = template.SubstituteWithOptions(v.Value, os.LookupEnv, template.WithoutLogging,
			template.WithReplacementFunction(func(reference string, lookup template.Mapping, cfg *template.Config) (string, error) {
				replacement, applied, err := template.DefaultReplacementAppliedFunc(reference, lookup, cfg)
				var invalid *template.InvalidTemplateError
				if errors.As(err, &invalid) {
					return reference, nil
				}
				if err == nil && !applied {
					unset = append(unset, strings.Trim(reference, "${}"))
					return reference, nil
				}
				return replacement, err
			}))
		return &text, unset, err
	}
	return value, nil, nil
}

// unsetIn returns the variables that the value of an option names and that are not set.
func unsetIn(node any) []string {
	kv, ok := node.(*ast.KeyValue)
	if !ok {
		return nil
	}
	_, unset, _ := expand(kv.Value) // an error is reported when the option is set
	return unset
}

// notSet says which variables are not set, empty for none.
func notSet(unset []string) string {
	names := slices.Compact(slices.Sorted(slices.Values(unset)))
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("the environment variable %s is not set", names[0])
	}
	return fmt.Sprintf("the environment variables %s are not set", strings.Join(names, ", "))
}

// withUnset adds to a complaint about a value which of the variables in it are not set.
func withUnset(complaint string, unset []string) string {
	if what := notSet(unset); what != "" {
		complaint += "; " + what
	}
	return complaint
}

// unsetVariables returns the options of the table whose values name variables that are not set. That is no error: the
// text may be meant as it is, and Telegraf's environment may be another.
func (t table) unsetVariables() []problem {
	var found []problem
	var search func(nodes map[string]any)
	search = func(nodes map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(nodes)) {
			if tables, ok := nodes[name].([]*ast.Table); ok {
				for _, nested := range tables {
					search(nested.Fields)
				}
				continue
			}
			if what := notSet(unsetIn(nodes[name])); what != "" {
				found = append(found, problem{t.place, lineOf(nodes[name]), (&option.Error{
					Name:    name,
					Problem: what + ", and the value stays as it is written",
					Allowed: "set it in Telegraf's environment, give a default: ${NAME:-VALUE}, or write $$ for a $",
				}).Error()})
			}
		}
	}
	search(t.options)
	return found
}
