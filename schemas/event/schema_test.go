// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

type schema struct {
	Type      string  `json:"type"`
	Name      string  `json:"name"`
	Namespace string  `json:"namespace"`
	Doc       string  `json:"doc"`
	Fields    []field `json:"fields"`
}

type field struct {
	Name    string          `json:"name"`
	Type    json.RawMessage `json:"type"`
	Doc     string          `json:"doc"`
	Default json.RawMessage `json:"default"`
	Group   string          `json:"hookstream.group"`
}

func TestSchemasSayWhatTheyMean(t *testing.T) {
	files, err := filepath.Glob("entities/*.avsc")
	if err != nil || len(files) != len(Entities()) {
		t.Fatalf("%d files, %d entities, %v", len(files), len(Entities()), err)
	}
	for _, file := range append(files, "meta.avsc") {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s schema
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			if s.Namespace != "hookstream.events.v1" || s.Doc == "" {
				t.Errorf("namespace %q, doc %q", s.Namespace, s.Doc)
			}
			checkDocs(t, s.Fields)
			if file != "meta.avsc" {
				checkEntity(t, strings.TrimSuffix(filepath.Base(file), ".avsc"), &s)
			}
		})
	}
}

// checkDocs also looks into records inside.
func checkDocs(t *testing.T, fields []field) {
	for _, f := range fields {
		if !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("field %s: doc %q is no sentence", f.Name, f.Doc)
		}
		var inner schema
		if json.Unmarshal(f.Type, &inner) == nil {
			checkDocs(t, inner.Fields)
		}
	}
}

func checkEntity(t *testing.T, name string, s *schema) {
	if want := strings.ReplaceAll(name, "_", ""); !strings.EqualFold(s.Name, want) {
		t.Errorf("record %s in file of %s", s.Name, name)
	}
	e, ok := Lookup(name)
	if !ok {
		t.Fatal("is not loaded")
	}
	if last := s.Fields[len(s.Fields)-1]; last.Name != "extra" || string(last.Default) != "{}" {
		t.Errorf("the last field is %s, default %s; want extra, {}", last.Name, last.Default)
	}
	for _, f := range s.Fields[2 : len(s.Fields)-1] {
		if !strings.HasPrefix(string(f.Type), `["null",`) || string(f.Default) != "null" {
			t.Errorf("field %s is %s, default %s; want a nullable type, default null", f.Name, f.Type, f.Default)
		}
		if have, _ := e.Field(f.Name); f.Group != "" && (have.Group != f.Group || !slices.Contains(e.Groups, f.Group)) {
			t.Errorf("field %s: group %q was loaded as %q of %v", f.Name, f.Group, have.Group, e.Groups)
		}
	}
	if e.Groups[0] != name {
		t.Errorf("the first group is %s", e.Groups[0])
	}
	if _, err := avro.Parse(e.Schema()); err != nil {
		t.Errorf("does not stand alone: %v", err)
	}
	if err := CheckCompatible(e.Schema(), e.Schema()); err != nil {
		t.Errorf("is not compatible with itself: %v", err)
	}
}

func TestSchemaFilesAreChecked(t *testing.T) {
	meta, err := os.ReadFile("meta.avsc")
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"type":"record","name":"X","namespace":"hookstream.events.v1","fields":[`
	const ref = `{"name":"meta","type":"hookstream.events.v1.Meta"}`
	for name, c := range map[string]struct{ text, want string }{
		"not json":       {"{", "unexpected end"},
		"no fields":      {head + `]}`, "no fields"},
		"no meta":        {head + `{"name":"id","type":"string"}]}`, "the first field's type is"},
		"no id":          {head + ref + `,{"name":"x","type":"string"}]}`, "must be meta and id"},
		"type of number": {head + ref + `,{"name":"id","type":"string"},{"name":"x","type":"int"}]}`, "field x: type int"},
	} {
		if _, err := newEntity("x", string(meta), c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}
