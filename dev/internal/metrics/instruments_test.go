// SPDX-License-Identifier: Apache-2.0

// Package metrics holds docs/metrics.md and the runbooks to what the services
// measure. dev/alerts holds the rules and the dashboards to docs/metrics.md.
package metrics

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"
)

// root is the repository, seen from this package.
const root = "../../.."

// instrument is one that the services make, as the source says.
type instrument struct {
	name, unit, meaning string
	kind                string
}

// prometheus is the name that the exporter gives it.
func (i instrument) prometheus(t *testing.T) string {
	t.Helper()
	kinds := map[string]otlptranslator.MetricType{
		"Counter": otlptranslator.MetricTypeMonotonicCounter, "UpDownCounter": otlptranslator.MetricTypeGauge,
		"Gauge": otlptranslator.MetricTypeGauge, "Histogram": otlptranslator.MetricTypeHistogram,
	}
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	name, err := namer.Build(otlptranslator.Metric{Name: i.name, Unit: i.unit, Type: kinds[i.kind]})
	if err != nil {
		t.Fatalf("%s: %v", i.name, err)
	}
	return name
}

// prometheusType is what Prometheus calls its kind.
func (i instrument) prometheusType() string {
	if i.kind == "UpDownCounter" {
		return "gauge"
	}
	return strings.ToLower(i.kind)
}

// constructor is a method of metric.Meter that makes an instrument.
var constructor = regexp.MustCompile(`^(?:Int64|Float64)(?:Observable)?(Counter|UpDownCounter|Gauge|Histogram)$`)

// instruments reads every instrument from the services' source, so that one that
// is hard to provoke is not forgotten.
func instruments(t *testing.T) []instrument {
	t.Helper()
	var found []instrument
	for _, module := range []string{"stage", "ingest", "transform", "sink", "dlq"} {
		err := filepath.WalkDir(filepath.Join(root, module), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			found = append(found, instrumentsOf(t, path)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(found, func(a, b instrument) int { return cmp.Compare(a.name, b.name) })
	if len(found) == 0 {
		t.Fatal("the services measure nothing")
	}
	return found
}

func instrumentsOf(t *testing.T, path string) (found []instrument) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		kind := constructor.FindStringSubmatch(method(call))
		if kind == nil {
			return true
		}
		i := instrument{name: text(call.Args[0]), kind: kind[1], unit: option(call, "WithUnit"), meaning: option(call, "WithDescription")}
		if i.name == "" || i.meaning == "" {
			t.Errorf("%s: an instrument whose name or description is not a literal cannot be documented", path)
		}
		found = append(found, i)
		return true
	})
	return found
}

// method is what is called.
func method(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

// option is the argument of an option of an instrument, or "".
func option(call *ast.CallExpr, name string) string {
	for _, arg := range call.Args {
		if o, ok := arg.(*ast.CallExpr); ok && method(o) == name {
			return text(o.Args[0])
		}
	}
	return ""
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}
