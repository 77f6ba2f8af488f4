package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/influxdata/toml"
	"github.com/influxdata/toml/ast"
)

// allowedTables lists the tables of a file, for messages.
const allowedTables = "[[inputs.chembus]], [[processors.liveness]], [[outputs.chembus]], [[outputs.liveness]]"

// A problem is an error in a configuration, with its place. It is logged as one line.
type problem struct {
	place string // the file, or a description of the defaults
	line  int    // 0: unknown
	text  string // what is wrong, and what is allowed
}

func (p problem) Error() string {
	if p.line == 0 {
		return p.place + ": " + p.text
	}
	return fmt.Sprintf("%s:%d: %s", p.place, p.line, p.text)
}

// A table is the table of one plugin in a file.
type table struct {
	role    role
	place   string
	line    int
	options map[string]any // nodes of the TOML syntax tree by name
	file    []table        // all tables of the file
}

// tableFor returns the role's table in the file, or the defaults if there is no file.
func tableFor(r role, file string) (table, error) {
	if file == "" {
		return table{role: r, place: "the defaults of " + r.id()}, nil
	}
	tables, problems := readTables(file)
	if len(problems) > 0 {
		return table{}, problems[0]
	}
	i := slices.IndexFunc(tables, func(t table) bool { return t.role.name == r.name })
	if i < 0 {
		return table{}, problem{file, 0, fmt.Sprintf(
			"table %s is missing; add it, without any option for the defaults", r.header())}
	}
	return tables[i], nil
}

// onlyTable returns the table of a file that holds exactly one.
func onlyTable(file string) (table, error) {
	tables, problems := readTables(file)
	if len(problems) > 0 {
		return table{}, problems[0]
	}
	if len(tables) > 1 {
		return table{}, problem{file, tables[1].line, fmt.Sprintf("%s is a second plugin, after %s in line %d; "+
			"select one with telegraf-chembus input|processor|output|page -config FILE",
			tables[1].role.header(), tables[0].role.header(), tables[0].line)}
	}
	return tables[0], nil
}

// readTables returns the plugins' tables of a file and its problems, both in the order of the file. A file
// without a table is a problem.
func readTables(file string) ([]table, []problem) {
	content, err := os.ReadFile(file)
	if err != nil {
		remedy := "use a file that this user may read"
		if errors.Is(err, fs.ErrNotExist) {
			remedy = "name one that exists, or create it with telegraf-chembus sample"
		}
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the problem names the file
		}
		return nil, []problem{{file, 0, fmt.Sprintf("cannot read the file: %v; %s", err, remedy)}}
	}
	root, bad := parse(content)
	if bad != nil {
		return nil, []problem{{file, bad.line, bad.text}}
	}

	var tables []table
	var problems []problem
	report := func(line int, format string, args ...any) {
		problems = append(problems, problem{file, line, fmt.Sprintf(format, args...)})
	}
	for _, n := range topNodes(root) {
		r, known := n.role()
		switch {
		case known:
			tables = append(tables, table{role: r, place: file, line: n.line, options: n.table.Fields})
		case n.table == nil:
			report(n.line, "option %q is outside of any table; move it below one of %s", n.name, allowedTables)
		case ofTelegraf(n.name):
			report(n.line, "%s belongs in Telegraf's own configuration; "+
				"use a file with only %s", n.header(), allowedTables)
		default:
			report(n.line, "%s", unknownTable(n))
		}
	}
	if len(tables)+len(problems) == 0 {
		report(0, "no plugin is configured; add at least one of %s", allowedTables)
	}

	slices.SortFunc(tables, func(a, b table) int { return cmp.Compare(a.line, b.line) })
	first := map[string]int{}
	for _, t := range tables {
		if line, twice := first[t.role.name]; twice {
			report(t.line, "second table %s, the first is in line %d; use one file for each",
				t.role.header(), line)
			continue
		}
		first[t.role.name] = t.line
	}
	for i := range tables {
		tables[i].file = tables
	}
	return tables, inOrder(problems)
}

// inOrder sorts problems by line.
func inOrder(problems []problem) []problem {
	slices.SortStableFunc(problems, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	return problems
}

// A topNode is a plugin's table, or anything else at that level.
type topNode struct {
	name  string
	line  int
	table *ast.Table // nil if it is an option
}

func (n topNode) role() (role, bool) {
	i := slices.IndexFunc(roles, func(r role) bool { return r.id() == n.name })
	if i < 0 || n.table == nil {
		return role{}, false
	}
	return roles[i], true
}

// header returns the first line of the table in the file.
func (n topNode) header() string {
	if n.table.Type == ast.TableTypeArray {
		return "[[" + n.name + "]]"
	}
	return "[" + n.name + "]"
}

// topNodes flattens the two levels SECTION.PLUGIN of the syntax tree. It accepts both [a.b] and [[a.b]] as a
// plugin's table, as Telegraf does.
func topNodes(root *ast.Table) []topNode {
	var nodes []topNode
	for _, section := range slices.Sorted(maps.Keys(root.Fields)) {
		parent, isTable := root.Fields[section].(*ast.Table)
		isSection := isTable && slices.ContainsFunc(roles, func(r role) bool { return r.section == section })
		if !isSection {
			nodes = appendNodes(nodes, section, root.Fields[section])
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(parent.Fields)) {
			nodes = appendNodes(nodes, section+"."+name, parent.Fields[name])
		}
	}
	return nodes
}

func appendNodes(nodes []topNode, name string, node any) []topNode {
	switch n := node.(type) {
	case *ast.Table:
		return append(nodes, topNode{name, n.Line, n})
	case []*ast.Table:
		for _, t := range n {
			nodes = append(nodes, topNode{name, t.Line, t})
		}
		return nodes
	}
	return append(nodes, topNode{name, lineOf(node), nil})
}

// ofTelegraf reports whether the table is one of Telegraf's own, as found in the file that configures execd:
// that file is easily confused with the plugin's.
func ofTelegraf(name string) bool {
	section, plugin, _ := strings.Cut(name, ".")
	return slices.Contains([]string{"agent", "global_tags", "aggregators", "secretstores"}, section) || plugin == "execd"
}

// stringsAndComments matches TOML's comments, and its strings so that a # in them is not taken for a comment.
var stringsAndComments = regexp.MustCompile(
	`(?s)"""(?:\\.|[^\\])*?"""|'''.*?'''|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*`)

// parse returns the syntax tree. The parser fails on comments in some places of an array, counts a Windows line
// end as two lines and is inconsistent about a lone carriage return. So line ends are normalized and, as in
// Telegraf, comments are removed before.
func parse(content []byte) (*ast.Table, *problem) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	content = bytes.ReplaceAll(content, []byte("\r"), []byte("\n"))
	for i, line := range bytes.Split(content, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, &problem{line: i + 1, text: "invalid UTF-8; save the file as UTF-8"}
		}
	}
	content = stringsAndComments.ReplaceAllFunc(content, func(token []byte) []byte {
		if token[0] == '#' {
			return nil
		}
		return token
	})
	root, err := toml.Parse(content)
	if err == nil {
		return root, nil
	}
	line, reason := 0, err
	var lineErr *toml.LineError
	if errors.As(err, &lineErr) {
		line, reason = badStatement(content, lineErr.Line), lineErr.Err
	}
	return nil, &problem{line: line, text: fmt.Sprintf(
		`%v; write each option once as NAME = VALUE, with text in "quotes", below a table such as [[inputs.chembus]]`, reason)}
}

// badStatement returns the first line of the statement that does not parse. The parser itself reports the line
// where it stopped, often the next one.
func badStatement(content []byte, stopped int) int {
	lines := bytes.Split(content, []byte("\n"))
	good := min(stopped, len(lines))
	for ; good > 0; good-- {
		if _, err := toml.Parse(bytes.Join(lines[:good], []byte("\n"))); err == nil {
			break
		}
	}
	for good < len(lines)-1 && len(bytes.TrimSpace(lines[good])) == 0 {
		good++
	}
	return good + 1
}
