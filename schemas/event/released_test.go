// SPDX-License-Identifier: Apache-2.0

package event

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hookstream/hookstream/schemas/golden"
)

// TestSchemasStayCompatible is the gate between what was ever released and what
// is in entities: every version of released/<entity>/ and the current schema
// read each other's data (FULL_TRANSITIVE). A change of a schema is added as the
// next version with: go test ./event -run StayCompatible -update.
func TestSchemasStayCompatible(t *testing.T) {
	for _, e := range Entities() {
		versions := released(t, e.Name)
		for _, file := range versions {
			if err := CheckCompatible(read(t, file), e.Schema()); err != nil {
				t.Errorf("%s is incompatible with %s, which consumers have: %v", e.Name, file, err)
			}
		}
		if n := len(versions); n > 0 && SameSchema(read(t, versions[n-1]), e.Schema()) {
			continue
		}
		next := filepath.Join("released", e.Name, fmt.Sprintf("%03d.avsc", len(versions)+1))
		if !golden.Update() {
			t.Errorf("%s has changed and %s is missing; write it with -update", e.Name, next)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(next), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(next, []byte(e.Schema()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func released(t *testing.T, entity string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("released", entity, "*.avsc"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEvolution shows which changes pass the gate.
func TestEvolution(t *testing.T) {
	const head = `{"type":"record","name":"Parcel","namespace":"hookstream.events.v1","fields":[{"name":"id","type":"string"}`
	const weight = `,{"name":"weight","type":["null","long"],"default":null}`
	for name, c := range map[string]struct {
		before, after string
		refused       bool
	}{
		"a nullable field is added":              {head + `]}`, head + weight + `]}`, false},
		"a nullable field is removed":            {head + weight + `]}`, head + `]}`, false},
		"a doc changes":                          {head + `]}`, head[:len(head)-1] + `,"doc":"The parcel's id."}]}`, false},
		"a field without a default is added":     {head + `]}`, head + `,{"name":"weight","type":"long"}]}`, true},
		"a field changes its type":               {head + weight + `]}`, head + `,{"name":"weight","type":["null","string"],"default":null}]}`, true},
		"a nullable field becomes required":      {head + weight + `]}`, head + `,{"name":"weight","type":"long","default":0}]}`, true},
		"a type is widened, new readers only":    {head + `,{"name":"n","type":"int"}]}`, head + `,{"name":"n","type":"long"}]}`, true},
		"a field without a default gets renamed": {head + `]}`, `{"type":"record","name":"Parcel","namespace":"hookstream.events.v1","fields":[{"name":"key","type":"string"}]}`, true},
	} {
		if err := CheckCompatible(c.before, c.after); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
