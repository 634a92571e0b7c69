// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/reason"
)

const reasonPackage = project + "schemas/reason"

// mayReadCodes are the packages that turn text into a code: those that read
// records, and filters.
var mayReadCodes = map[string]bool{project + "schemas/record": true, project + "dlq/internal/filter": true}

// TestEveryReasonIsInTheClosedSet has the compiler's word for it: whatever has
// the type reason.Code in a service, by name, literal or constant, is a code that
// docs/failures.md explains. And a Permanent failure always has one.
func TestEveryReasonIsInTheClosedSet(t *testing.T) {
	permanent := 0
	for _, module := range []string{"schemas", "stage", "ingest", "transform", "sink", "dlq"} {
		packages, exports := compiled(t, "../"+module)
		for _, p := range packages {
			permanent += checkReasons(t, p, exports)
		}
	}
	if permanent < 8 {
		t.Errorf("saw only %d calls of failure.NewPermanent", permanent)
	}
}

type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// compiled lists the packages of a module, and the export data of all that they
// import.
func compiled(t *testing.T, dir string) (own []goPackage, exports map[string]string) {
	t.Helper()
	exports = map[string]string{}
	dec := json.NewDecoder(strings.NewReader(goList(t, dir, "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly", "./...")))
	for dec.More() {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && p.ImportPath != reasonPackage {
			own = append(own, p)
		}
	}
	return own, exports
}

// checkReasons checks one package and counts its calls of failure.NewPermanent.
func checkReasons(t *testing.T, p goPackage, exports map[string]string) (permanent int) {
	t.Helper()
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	conf := types.Config{Importer: importer.ForCompiler(files, "gc", lookup)}
	if _, err := conf.Check(p.ImportPath, files, parsed, &info); err != nil {
		t.Fatalf("%s: %v", p.ImportPath, err)
	}
	for expr, tv := range info.Types {
		at := files.Position(expr.Pos())
		if code, ok := codeOf(tv); ok && code != "" && !reason.Known(code) { // "" is no failure
			t.Errorf("%s: the reason %q is not in the closed set", at, code)
		}
		call, ok := expr.(*ast.CallExpr)
		if !ok {
			continue
		}
		if fun := info.Types[call.Fun]; fun.IsType() && isCode(fun.Type) && tv.Value == nil && !mayReadCodes[p.ImportPath] {
			t.Errorf("%s: a reason is made from text that nobody has checked", at)
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "NewPermanent" {
			permanent++
			if code, ok := codeOf(info.Types[call.Args[0]]); ok && code == "" {
				t.Errorf("%s: a Permanent failure without a reason", at)
			}
		}
	}
	return permanent
}

// codeOf is the value of a constant expression that is a code.
func codeOf(tv types.TypeAndValue) (reason.Code, bool) {
	if tv.Value == nil || !isCode(tv.Type) {
		return "", false
	}
	return reason.Code(constant.StringVal(tv.Value)), true
}

func isCode(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Code" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == reasonPackage
}
