// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// problems are what Prometheus's parser and the table have against a usage.
func problems(known metrics, u usage) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(u.expr)
	if err != nil {
		return []string{err.Error()}
	}
	c := checker{known: known}
	result := c.labels(expr)
	for _, m := range inSummary.FindAllStringSubmatch(u.summary, -1) {
		c.has(result, m[1], "the summary")
	}
	for _, m := range inLegend.FindAllStringSubmatch(u.legend, -1) {
		c.has(result, m[1], "the legend")
	}
	return c.problems
}

// Labels that are shown.
var (
	inSummary = regexp.MustCompile(`\$labels\.([a-zA-Z_]+)`)
	inLegend  = regexp.MustCompile(`\{\{ *([a-zA-Z_]+) *\}\}`)
)

// checker finds the labels of an expression's result, and what is wrong on the
// way there.
type checker struct {
	known    metrics
	problems []string
}

type set = map[string]values

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// has notes a label that is used and not there.
func (c *checker) has(there set, label, by string) {
	if _, ok := there[label]; !ok {
		c.problem("%s uses the label %s, which is not among %q", by, label, slices.Sorted(maps.Keys(there)))
	}
}

func (c *checker) labels(node parser.Expr) set {
	switch e := node.(type) {
	case *parser.VectorSelector:
		return c.selector(e)
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return c.labels(e.Expr)
	case *parser.ParenExpr:
		return c.labels(e.Expr)
	case *parser.UnaryExpr:
		return c.labels(e.Expr)
	case *parser.AggregateExpr:
		return c.aggregate(e)
	case *parser.BinaryExpr:
		return c.binary(e)
	case *parser.Call:
		return c.call(e)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return nil
	default:
		c.problem("this test knows no %T", node)
		return nil
	}
}

func (c *checker) selector(e *parser.VectorSelector) set {
	if e.Name == "" {
		c.problem("%s names no metric", e)
		return nil
	}
	there, ok := c.known[e.Name]
	if !ok {
		c.problem("%s is not measured", e.Name)
		return nil
	}
	for _, m := range e.LabelMatchers {
		if m.Name != labels.MetricName {
			c.has(there, m.Name, e.Name)
			c.matches(there[m.Name], m)
		}
	}
	return there
}

// matches notes a matcher for values that the label never has. Of a pattern with
// alternatives each must be for something.
func (c *checker) matches(there values, m *labels.Matcher) {
	alternatives := []string{m.Value}
	if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
		alternatives = strings.Split(m.Value, "|")
	}
	for _, a := range alternatives {
		pattern, err := labels.NewFastRegexMatcher(a)
		if err != nil {
			c.problem("%s: %v", m, err)
			continue
		}
		if a != "" && there != nil && !slices.ContainsFunc(there, pattern.MatchString) {
			c.problem("%s: the label is never %s, but %q", m, a, there)
		}
	}
}

func (c *checker) aggregate(e *parser.AggregateExpr) set {
	inner := c.labels(e.Expr)
	if e.Param != nil {
		c.labels(e.Param)
	}
	for _, l := range e.Grouping {
		c.has(inner, l, e.Op.String())
	}
	kept := set{}
	for l, v := range inner {
		if slices.Contains(e.Grouping, l) != e.Without {
			kept[l] = v
		}
	}
	return kept
}

func (c *checker) binary(e *parser.BinaryExpr) set {
	left, right := c.labels(e.LHS), c.labels(e.RHS)
	if m := e.VectorMatching; m != nil {
		for _, l := range m.MatchingLabels {
			c.has(left, l, e.Op.String())
			c.has(right, l, e.Op.String())
		}
		for _, l := range m.Include {
			if m.Card == parser.CardOneToMany {
				c.has(left, l, e.Op.String())
			} else {
				c.has(right, l, e.Op.String())
			}
		}
	}
	if e.Op == parser.LUNLESS || e.Op == parser.LAND {
		return left
	}
	all := set{}
	maps.Copy(all, right)
	maps.Copy(all, left)
	return all
}

func (c *checker) call(e *parser.Call) set {
	all := set{}
	for _, arg := range e.Args {
		maps.Copy(all, c.labels(arg))
	}
	switch e.Func.Name {
	case "histogram_quantile":
		c.has(all, "le", e.Func.Name)
		delete(all, "le")
	case "label_replace":
		if label, ok := e.Args[1].(*parser.StringLiteral); ok {
			all[label.Val] = nil
		}
	}
	return all
}
