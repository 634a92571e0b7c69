// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"slices"
	"testing"
)

func TestCommands(t *testing.T) {
	p := Parse("x.md", "```sh\na \\\n  b\n\n# a remark\nc '{\n}'  # d\n```\n\n<!-- not run: it needs a moon -->\n```console\n$ e\n$ no prompt of ours\n"+
		"Replay? [y/N] y\n$ f \\\n    g\nout\n```\n\n  ```sh\n  h\n  ```\n```json\n{}\n```\n")
	var got []Command
	for i := range p.Blocks {
		got = append(got, p.Blocks[i].Commands(t.Context())...)
	}
	want := []Command{{2, "a \\\n  b", false}, {6, "c '{\n}'  # d", false}, {12, "e", false}, {13, "no prompt of ours", true}, {15, "f \\\n    g", false}, {21, "h", false}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if len(p.Blocks) != 4 || p.Blocks[1].NotRun != "it needs a moon" || p.Blocks[0].NotRun != "" || p.Blocks[3].Language != "json" {
		t.Errorf("got %+v", p.Blocks)
	}
}
