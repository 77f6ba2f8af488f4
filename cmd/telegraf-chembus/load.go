package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/logger"
	"github.com/influxdata/telegraf/models"
	"github.com/influxdata/toml"
	"github.com/influxdata/toml/ast"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// load creates the table's plugin, sets its options and calls Init. All problems with options are reported, in the
// order of the file. adjust may change the options before Init.
func (t table) load(adjust ...func(telegraf.PluginDescriber)) (telegraf.PluginDescriber, []problem) {
	plugin, problems := t.configured()
	if len(problems) > 0 {
		return nil, problems
	}
	for _, a := range adjust {
		a(plugin)
	}

	models.SetLoggerOnPlugin(plugin, logger.New(t.role.section, t.role.plugin, ""))
	if p, ok := plugin.(telegraf.Initializer); ok {
		if err := p.Init(); err != nil {
			return nil, []problem{t.refusal(err)}
		}
	}
	if err := conflict(plugin, t.neighbours()); err != nil {
		return nil, []problem{t.refusal(err)}
	}
	return plugin, nil
}

// configured creates the table's plugin and sets its options.
func (t table) configured() (telegraf.PluginDescriber, []problem) {
	if t.role.create == nil {
		return nil, []problem{{t.place, t.line, noLibzmq(t.role.id())}}
	}
	plugin := t.role.create()
	if problems := t.set(plugin, t.role.header(), t.options); len(problems) > 0 {
		return nil, inOrder(problems)
	}
	return plugin, nil
}

// neighbours creates the plugins of the other tables in the file. A table with problems is left out: they are
// reported when its own plugin is loaded.
func (t table) neighbours() []telegraf.PluginDescriber {
	var plugins []telegraf.PluginDescriber
	for _, other := range t.file {
		if other.role.name == t.role.name {
			continue
		}
		if plugin, problems := other.configured(); len(problems) == 0 {
			plugins = append(plugins, plugin)
		}
	}
	return plugins
}

// refusal returns the problem with an option that the plugin rejected.
func (t table) refusal(err error) problem {
	node, line := t.find(err)
	return problem{t.place, line, withUnset(err.Error(), unsetIn(node))}
}

// find returns the option that an error is about, and its line. If the option is not in the file, its value comes from
// the environment or from another option; then the node is nil, and the line that of the table.
func (t table) find(err error) (node any, line int) {
	var bad *option.Error
	if !errors.As(err, &bad) {
		return nil, t.line
	}
	tables := []map[string]any{t.options} // the plugin's and those within
	line = t.line
	inherits := true
	for _, at := range []struct {
		table  string
		number int
	}{{bad.Outer, bad.OuterNumber}, {bad.Table, bad.Number}} {
		within, _ := tables[0][at.table].([]*ast.Table)
		if at.number < len(within) {
			tables, line = append([]map[string]any{within[at.number].Fields}, tables...), within[at.number].Line
			inherits = at.table == "override"
		}
	}
	if !inherits { // what a watch leaves out has a default
		tables = tables[:1]
	} else if len(tables) > 2 {
		tables = tables[:2]
	}
	for _, options := range tables {
		if node, ok := options[bad.Name]; ok && bad.Name != bad.Table {
			return node, lineOf(node)
		}
	}
	return nil, line
}

// set sets the options of a plugin or of a nested table, and returns all problems.
func (t table) set(target any, header string, nodes map[string]any) []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[name]
		if tables, list, ok := nested(target, name, node); ok {
			for _, table := range tables {
				element := reflect.New(tableType(list.Type()))
				_ = toml.UnmarshalTable(&ast.Table{}, element.Interface()) // sets the defaults
				problems = append(problems, t.set(element.Interface(), nestedHeader(header, name), table.Fields)...)
				if list.Type().Elem().Kind() != reflect.Pointer {
					element = element.Elem()
				}
				list.Set(reflect.Append(list, element))
			}
			continue
		}
		if text := setOption(target, header, name, node); text != "" {
			problems = append(problems, problem{t.place, lineOf(node), text})
		}
	}
	return problems
}

// nested returns the tables of an option that is a list of tables, and the field to append them to.
func nested(target any, name string, node any) (tables []*ast.Table, list reflect.Value, ok bool) {
	tables, ok = node.([]*ast.Table)
	if !ok {
		return nil, list, false
	}
	for _, field := range options(target) {
		if key(field) == name && tableType(field.Type) != nil {
			return tables, reflect.ValueOf(target).Elem().FieldByIndex(field.Index), true
		}
	}
	return nil, list, false
}

// tableType returns the struct that a nested table sets, for the type of an option that is a list of them, []T or []*T.
// For other types it returns nil.
func tableType(list reflect.Type) reflect.Type {
	if list.Kind() != reflect.Slice {
		return nil
	}
	element := list.Elem()
	if element.Kind() == reflect.Pointer {
		element = element.Elem()
	}
	if element.Kind() != reflect.Struct {
		return nil
	}
	return element
}

// nestedHeader returns the first line of a nested table in a file.
func nestedHeader(header, name string) string {
	return strings.TrimSuffix(header, "]]") + "." + name + "]]"
}

// setOption sets one option. It returns what is wrong and what is allowed, or nothing.
func setOption(target any, header, name string, node any) string {
	known := options(target)
	i := slices.IndexFunc(known, func(f reflect.StructField) bool { return key(f) == name })
	if i < 0 {
		return unknownOption(target, header, name)
	}
	var unset []string
	if kv, ok := node.(*ast.KeyValue); ok {
		value, names, err := expand(kv.Value)
		if err != nil {
			return (&option.Error{Name: name, Problem: err.Error(), Allowed: "set it, or give a default: ${NAME:-VALUE}"}).Error()
		}
		node, unset = &ast.KeyValue{Key: kv.Key, Value: value, Line: kv.Line}, names
	}
	// One option at a time: the decoder takes them in random order and stops at the first error.
	if err := toml.UnmarshalTable(&ast.Table{Fields: map[string]any{name: node}}, target); err != nil {
		noun, allowed := expected(known[i].Type)
		return withUnset((&option.Error{Name: name, Problem: source(node) + " is not " + noun, Allowed: allowed}).Error(), unset)
	}
	return ""
}

// optionsOfTelegraf are the options of a plugin's table that Telegraf and execd handle themselves.
var optionsOfTelegraf = []string{
	"alias", "buffer_size", "collection_jitter", "collection_offset", "command", "data_format", "environment", "fielddrop",
	"fieldexclude", "fieldinclude", "fieldpass", "flush_interval", "flush_jitter", "interval", "log_level", "metric_batch_size",
	"metric_buffer_limit", "metricpass", "name_override", "name_prefix", "name_suffix", "namedrop", "namepass", "order", "precision",
	"restart_delay", "signal", "startup_error_behavior", "stop_on_error", "tagdrop", "tagexclude", "taginclude", "tagpass", "tags",
}

// options lists the fields that can be set in the table of a plugin, or in a nested table.
func options(target any) []reflect.StructField {
	fields := reflect.VisibleFields(reflect.TypeOf(target).Elem())
	return slices.DeleteFunc(fields, func(f reflect.StructField) bool { return key(f) == "" || key(f) == "-" })
}

// key returns the name of a field's option.
func key(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

// expected returns what a value of the type is called and how to write it.
func expected(t reflect.Type) (noun, allowed string) {
	if t.Kind() == reflect.Pointer { // an option that may be left unset
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[config.Duration]():
		return "a duration", `use a duration such as "500ms", "30s" or "1d"`
	case reflect.TypeFor[config.Size]():
		return "a size", `use a size such as "64KiB", or a number of bytes`
	case reflect.TypeFor[[]string]():
		return "an array of strings", `use an array of strings such as ["one", "two"]`
	}
	switch t.Kind() {
	case reflect.String:
		return "a string", `use a string in quotes`
	case reflect.Bool:
		return "a boolean", "use true or false, without quotes"
	case reflect.Int, reflect.Int64:
		return "a 64-bit integer", "use a whole number without quotes, such as 1000"
	case reflect.Float64:
		return "a float", "use a number with a decimal point and without quotes, such as 1.0"
	}
	if tableType(t) != nil {
		return "a list of tables", "use [[...]] tables, see telegraf-chembus sample"
	}
	return "a " + t.String(), "see telegraf-chembus sample"
}

// source returns the value as written in the file, with environment variables replaced.
func source(node any) string {
	kv, ok := node.(*ast.KeyValue)
	if !ok {
		return "a table"
	}
	if s, ok := kv.Value.(*ast.String); ok {
		return fmt.Sprintf("%q", s.Value)
	}
	return kv.Value.Source()
}

// lineOf returns the line where a node of the syntax tree starts.
func lineOf(node any) int {
	switch n := node.(type) {
	case *ast.Table:
		return n.Line
	case []*ast.Table:
		return n[0].Line
	case *ast.KeyValue:
		return n.Line - strings.Count(n.Value.Source(), "\n") // the parser records the last line of a long array
	}
	return 0
}
