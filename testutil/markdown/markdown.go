// Package markdown reads from a Markdown file what tests of the documentation check: its links, the anchors of
// its headings, its blocks of code, and the commands in it.
package markdown

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Document is a Markdown file as GitHub shows it.
type Document struct {
	Links    []string        // destinations of links and images, as written
	Broken   []string        // references to links that are not defined
	Anchors  map[string]bool // of its headings
	Blocks   []Block         // of code, with fences
	Commands []string        // command lines in shell blocks, one a line, and the content of code spans
}

// Block is a block of code.
type Block struct{ Language, Text string }

// Files returns all Markdown files below a folder. Of the hidden folders it looks into .github only.
func Files(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != folder && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".github":
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// Read reads a file.
func Read(path string) (*Document, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Document{Anchors: map[string]bool{}}
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err = ast.Walk(tree, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			d.add(node, source)
		}
		return ast.WalkContinue, nil
	})
	return d, err
}

// reference matches a link whose destination is defined elsewhere in the file.
var reference = regexp.MustCompile(`\[[^][]+\]\[[^][]*\]`)

// words matches what ends a command within a line of shell.
var words = regexp.MustCompile(`&&|[|>;]`)

func (d *Document) add(node ast.Node, source []byte) {
	switch n := node.(type) {
	case *ast.Link:
		d.Links = append(d.Links, string(n.Destination))
	case *ast.Image:
		d.Links = append(d.Links, string(n.Destination))
	case *ast.Heading:
		anchor := slug(inline(n, source))
		for i := 1; d.Anchors[anchor]; i++ {
			anchor = fmt.Sprintf("%s-%d", slug(inline(n, source)), i)
		}
		d.Anchors[anchor] = true
	case *ast.CodeSpan:
		d.Commands = append(d.Commands, strings.Join(strings.Fields(inline(n, source)), " "))
	case *ast.Paragraph:
		d.Broken = append(d.Broken, reference.FindAllString(inline(n, source), -1)...)
	case *ast.FencedCodeBlock:
		block := Block{string(n.Language(source)), string(n.Lines().Value(source))}
		d.Blocks = append(d.Blocks, block)
		if block.Language != "shell" {
			return
		}
		lines := strings.ReplaceAll(block.Text, "\\\n", " ")
		for line := range strings.Lines(lines) {
			for _, command := range words.Split(line, -1) {
				command = strings.TrimPrefix(strings.Join(strings.Fields(command), " "), "sudo ")
				d.Commands = append(d.Commands, command)
			}
		}
	}
}

// inline returns the text of a node without its formatting.
func inline(node ast.Node, source []byte) string {
	var b strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		switch c := child.(type) {
		case *ast.Text:
			b.Write(c.Value(source))
			if c.SoftLineBreak() {
				b.WriteByte(' ')
			}
		default:
			b.WriteString(inline(c, source))
		}
	}
	return b.String()
}

// slug returns the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
