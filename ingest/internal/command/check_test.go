// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckOfTheCatalogue(t *testing.T) {
	ingest(t, "check-provider", definitionsFolder).want(t, 0, "stripe.yaml: holds in ")
}

func TestCheckSaysWhatIsWrongAndWhere(t *testing.T) {
	cases := map[string]struct {
		definition, example [2]string
		want                string
	}{
		"definition": {[2]string{"algorithm: sha256", "algorithm: md5"}, [2]string{}, `acme.yaml:7: verify.algorithm: "md5" is not one of sha1, sha256, sha512`},
		"field":      {[2]string{"encoding: hex", "encodeing: hex"}, [2]string{}, "acme.yaml:8: "},
		"expression": {[2]string{"number: .order", "number: .order |"}, [2]string{}, "acme.yaml:20: events[0].fields.number: "},
		"mapping":    {[2]string{"number: .order", "number: .order | tonumber"}, [2]string{}, "paid.yaml:10: want.records[0]: transform would dead-letter it: "},
		"example":    {[2]string{}, [2]string{"key: A-7", "key: A-8"}, `paid.yaml:10: want.records[0].key: got "A-7", want "A-8"`},
		"unreadable": {[2]string{}, [2]string{"secret:", "sekret:"}, "paid.yaml:7: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"acme.yaml":                strings.Replace(acme, c.definition[0], c.definition[1], 1),
				"examples/acme/paid.yaml":  strings.Replace(paid, c.example[0], c.example[1], 1),
				"examples/acme/other.yaml": refused,
			})
			file := filepath.Join(dir, "acme.yaml")
			ingest(t, "check-provider", file).want(t, 1, dir, c.want, "acme.yaml: 1 problem\n")
			var found []checked
			if err := json.Unmarshal([]byte(ingest(t, "check-provider", dir, "-o", "json").out), &found); err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || len(found[0].Problems) != 1 || found[0].File != file || found[0].Problems[0].Line == 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestCheckAsksForExamples(t *testing.T) {
	files := map[string]string{"acme.yaml": acme}
	ingest(t, "check-provider", write(t, files)).want(t, 0, "holds in 0 examples: add one that is accepted and one that is refused to ")
	files["examples/acme/paid.yaml"] = paid
	ingest(t, "check-provider", write(t, files)).want(t, 0, "holds in 1 example: add one that is refused")
	files["examples/acme/refused.yaml"] = refused
	if r := ingest(t, "check-provider", write(t, files)); !strings.HasSuffix(r.out, "acme.yaml: holds in 2 examples\n") {
		t.Error(r.out)
	}
}

func TestCheckOfNothing(t *testing.T) {
	ingest(t, "check-provider", t.TempDir()).want(t, 1, "holds no definitions")
	ingest(t, "check-provider", "nowhere.yaml").want(t, 1, "nowhere.yaml")
}
