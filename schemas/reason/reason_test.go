// SPDX-License-Identifier: Apache-2.0

package reason

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestEveryCodeIsDocumented reads the constants from the source, so that a code
// cannot be added without its meaning.
func TestEveryCodeIsDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			lit, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is not a literal", spec.Names[0].Name)
			}
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			declared[Code(code)] = true
		}
		return true
	})
	if len(declared) < 13 {
		t.Fatalf("found only %d codes in the source", len(declared))
	}
	for _, i := range All() {
		if i.Meaning == "" || i.Who == "" || i.Act == "" || !declared[i.Code] {
			t.Errorf("%+v", i)
		}
		delete(declared, i.Code)
	}
	for code := range declared {
		t.Errorf("%s is not documented", code)
	}
	if Known("mapping_faild") || !Known(MappingFailed) {
		t.Error("Known does not know")
	}
}
