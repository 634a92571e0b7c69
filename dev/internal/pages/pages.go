// SPDX-License-Identifier: Apache-2.0

// Package pages reads the project's Markdown, for the tests that hold it to what
// it says: that its links lead somewhere, and that what it has its reader type
// works.
package pages

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Page is a file.
type Page struct {
	// Path is relative to the project's root, with slashes.
	Path  string
	Lines []string
	// Blocks are what is fenced, in order.
	Blocks []Block
}

// Block is what is fenced: code, or what a terminal shows.
type Block struct {
	// Line is that of its first line, from 1.
	Line int
	// Language is the first word after the fence, Info what follows it.
	Language, Info string
	Lines          []string
	// NotRun is why a test cannot run it: the line before the fence says so,
	// <!-- not run: REASON -->, or it is empty.
	NotRun string
}

// Text of the block.
func (b *Block) Text() string { return strings.Join(b.Lines, "\n") + "\n" }

// All reads every page under the project's root.
func All(root string) ([]*Page, error) {
	var all []*Page
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != root && (name == ".git" || name == "bin" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".md" {
			return nil
		}
		text, err := os.ReadFile(file) //nolint:gosec // the project's own
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		all = append(all, Parse(filepath.ToSlash(name), string(text)))
		return nil
	})
	return all, err
}

var (
	fence  = regexp.MustCompile("^( *)```+ *(\\S*) *(.*)$")
	notRun = regexp.MustCompile(`^ *<!-- not run: (.+) -->$`)
)

// Parse reads a page.
func Parse(path, text string) *Page {
	p := &Page{Path: path, Lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	var open *Block
	indent := ""
	for i, line := range p.Lines {
		m := fence.FindStringSubmatch(line)
		switch {
		case open == nil && m != nil:
			open, indent = &Block{Line: i + 2, Language: m[2], Info: m[3]}, m[1]
			if i > 0 {
				if mark := notRun.FindStringSubmatch(p.Lines[i-1]); mark != nil {
					open.NotRun = mark[1]
				}
			}
		case open != nil && m != nil:
			p.Blocks = append(p.Blocks, *open)
			open = nil
		case open != nil:
			open.Lines = append(open.Lines, strings.TrimPrefix(line, indent))
		}
	}
	return p
}

// prose gives the lines that are not fenced, by their number.
func (p *Page) prose(yield func(int, string)) {
	inside := false
	for i, line := range p.Lines {
		if fence.MatchString(line) {
			inside = !inside
		} else if !inside {
			yield(i+1, line)
		}
	}
}

// Link is one, and where it is.
type Link struct {
	Line   int
	Target string
}

var (
	code      = regexp.MustCompile("`[^`]*`")
	inline    = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)`)
	reference = regexp.MustCompile(`^ *\[[^\]]+\]: *(\S+)`)
	image     = regexp.MustCompile(`(?:src|href|srcset)="([^"]+)"`)
)

// Links of the page that are not in code.
func (p *Page) Links() []Link {
	var all []Link
	p.prose(func(n int, line string) {
		// A link's text may be code, its target never is.
		line = code.ReplaceAllString(line, "code")
		for _, pattern := range []*regexp.Regexp{inline, reference, image} {
			for _, m := range pattern.FindAllStringSubmatch(line, -1) {
				all = append(all, Link{n, m[1]})
			}
		}
	})
	return all
}

var (
	heading  = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	anchor   = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	linked   = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	unwanted = regexp.MustCompile(`[^\p{L}\p{M}\p{N}\- _]`)
)

// Anchors are what a link to the page can end in after #, as GitHub makes them of
// headings.
func (p *Page) Anchors() map[string]bool {
	all := map[string]bool{}
	p.prose(func(_ int, line string) {
		for _, m := range anchor.FindAllStringSubmatch(line, -1) {
			all[m[1]] = true
		}
		m := heading.FindStringSubmatch(line)
		if m == nil {
			return
		}
		text := linked.ReplaceAllString(m[1], "$1")
		slug := strings.ReplaceAll(unwanted.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		unique := slug
		for i := 1; all[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", slug, i)
		}
		all[unique] = true
	})
	return all
}
