package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/influxdata/telegraf"
)

// unknownOption says what is wrong with an option that its table does not have, and what is allowed.
func unknownOption(target any, header, name string) string {
	if _, whole := target.(telegraf.PluginDescriber); whole && slices.Contains(optionsOfTelegraf, name) {
		return fmt.Sprintf("option %q is Telegraf's own; move it from %s to the [[...execd]] block in Telegraf's configuration "+
			"that runs this plugin", name, header)
	}
	if homes := tablesWith(name, header); len(homes) > 0 {
		where := "there"
		if strings.HasPrefix(header, strings.TrimSuffix(homes[0], "]]")+".") {
			where = "above the first " + header // what follows a nested table belongs to that
		}
		return fmt.Sprintf("option %q belongs in %s, not in %s; move it %s", name, strings.Join(homes, " or in "), header, where)
	}
	var allowed []string
	for _, field := range options(target) {
		allowed = append(allowed, key(field))
	}
	if meant := nearest(name, allowed); meant != "" {
		return fmt.Sprintf("unknown option %q in %s; did you mean %q? telegraf-chembus sample shows all options", name, header, meant)
	}
	return fmt.Sprintf("unknown option %q in %s; allowed: %s", name, header, strings.Join(allowed, ", "))
}

// tablesWith returns the headers of the tables that have an option: those around the table of a header, or else those of the
// same plugin, if there are any, else the plugins' own tables, else the nested ones.
func tablesWith(name, header string) []string {
	var same, own, nested []string
	for _, r := range built() {
		ofPlugin := strings.HasPrefix(header, "[["+r.id()+"]]") || strings.HasPrefix(header, "[["+r.id()+".")
		var search func(target any, in string)
		search = func(target any, in string) {
			for _, field := range options(target) {
				if key(field) == name {
					switch {
					case ofPlugin:
						same = append(same, in)
					case in == r.header():
						own = append(own, in)
					default:
						nested = append(nested, in)
					}
				}
				if element := tableType(field.Type); element != nil {
					search(reflect.New(element).Interface(), nestedHeader(in, key(field)))
				}
			}
		}
		search(r.create(), r.header())
	}
	around := slices.DeleteFunc(slices.Clone(same), func(h string) bool {
		return !strings.HasPrefix(header, strings.TrimSuffix(h, "]]")+".")
	})
	for _, headers := range [][]string{around, same, own, nested} {
		if len(headers) > 0 {
			return headers
		}
	}
	return nil
}

// nearest returns the one of some names that a misspelled one may be meant to be; empty if none is near.
func nearest(name string, names []string) string {
	plain := strings.NewReplacer("_", "", "-", "")
	name = plain.Replace(strings.ToLower(name))
	best, least := "", 2+len(name)/5 // more than one letter in five is no slip of the keys
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, plain.Replace(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// unknownTable says what is wrong with a table that belongs to no plugin.
func unknownTable(n topNode) string {
	ids := make([]string, 0, 2*len(roles))
	headers := make(map[string]string)
	for _, r := range roles {
		for _, id := range []string{r.id(), r.section} {
			ids = append(ids, id)
			headers[id] = r.header()
		}
	}
	if meant := nearest(n.name, ids); meant != "" {
		return fmt.Sprintf("unknown table %s; did you mean %s? allowed: %s", n.header(), headers[meant], allowedTables)
	}
	return fmt.Sprintf("unknown table %s; allowed: %s", n.header(), allowedTables)
}
