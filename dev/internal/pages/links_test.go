// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// TestLinksLeadSomewhere holds every relative link of every page: the file is
// there, and so is the heading after #.
func TestLinksLeadSomewhere(t *testing.T) {
	all, err := All(root)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*Page{}
	for _, p := range all {
		byPath[p.Path] = p
	}
	links := 0
	for _, p := range all {
		for _, l := range p.Links() {
			if strings.Contains(l.Target, "://") || strings.HasPrefix(l.Target, "mailto:") {
				continue
			}
			links++
			if problem := broken(byPath, p, l.Target); problem != "" {
				t.Errorf("%s:%d: %s: %s", p.Path, l.Line, l.Target, problem)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// broken says what is wrong with a relative link, if anything is.
func broken(byPath map[string]*Page, from *Page, target string) string {
	file, fragment, _ := strings.Cut(target, "#")
	to := from.Path
	if file != "" {
		to = path.Join(path.Dir(from.Path), file)
	}
	if strings.HasPrefix(to, "../") {
		return "leads out of the project"
	}
	page := byPath[to]
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); page == nil && err != nil {
		return "there is no " + to
	}
	if fragment != "" && page != nil && !page.Anchors()[fragment] {
		return to + " has no such heading"
	}
	return ""
}

func TestBrokenLinksAreFound(t *testing.T) {
	p := Parse("docs/x.md", "# A `b`, c\n\n[ok](#a-b-c) [`code`](y.md) [gone](z.md) [head](y.md#no)\n"+
		"<img src=\"no.svg\">\n\n[ref]: other.md\n\n```md\n[in code](nowhere.md)\n```\n`[code](nowhere.md)`\n\n# A `b`, c\n<a id=\"own\"></a>\n")
	var targets []string
	for _, l := range p.Links() {
		targets = append(targets, l.Target)
	}
	if want := []string{"#a-b-c", "y.md", "z.md", "y.md#no", "no.svg", "other.md"}; !slices.Equal(targets, want) {
		t.Errorf("got %q, want %q", targets, want)
	}
	if got := p.Anchors(); len(got) != 3 || !got["a-b-c"] || !got["a-b-c-1"] || !got["own"] {
		t.Errorf("got %v", got)
	}
	byPath := map[string]*Page{"docs/x.md": p}
	for target, want := range map[string]string{
		"#a-b-c": "", "#own": "", "metrics.md": "", "#no": "no such heading", "z.md": "there is no docs/z.md", "../../etc": "out of the project",
	} {
		if got := broken(byPath, p, target); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}
