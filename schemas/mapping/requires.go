// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/schemas/provider"
)

// requirement is one way in which a body can be of a rule's types: all of its
// conditions hold.
type requirement []condition

// condition is a compiled provider.Condition.
type condition struct {
	source *provider.Condition
	value  *expression
}

// pathExpression writes a path of the body in jq.
func pathExpression(path string) string {
	var b strings.Builder
	b.WriteByte('.')
	for step := range strings.SplitSeq(path, ".") {
		if _, err := strconv.Atoi(step); err == nil {
			b.WriteString("[" + step + "]")
		} else {
			b.WriteString("[" + strconv.Quote(step) + "]")
		}
	}
	return b.String()
}

// unmet says what is missing of the first requirement, or too much, where none is
// met; else it is empty.
func (r *runner) unmet(all []requirement) string {
	said := ""
	for _, one := range all {
		failed := r.failing(one)
		if failed == nil {
			return ""
		}
		if said == "" {
			said = failed.String()
		}
	}
	return said
}

// failing is the first condition that does not hold, or nil.
func (r *runner) failing(conditions requirement) *condition {
	for i := range conditions {
		if !r.holds(&conditions[i]) {
			return &conditions[i]
		}
	}
	return nil
}

// holds takes a path that leads through something else than it should as one that
// leads nowhere.
func (r *runner) holds(c *condition) bool {
	v, err := r.value(c.value)
	there := err == nil && something(v)
	switch want := c.source.Value; want {
	case "*":
		return there
	case "":
		return !there
	default:
		return there && fmt.Sprint(v) == want
	}
}

// something is what is neither null nor empty.
func something(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return true
}

// String quotes nothing of the body.
func (c *condition) String() string {
	switch want := c.source.Value; want {
	case "*":
		return fmt.Sprintf("%s is not there", c.source.Ref)
	case "":
		return fmt.Sprintf("%s is there", c.source.Ref)
	default:
		return fmt.Sprintf("%s is not %q", c.source.Ref, want)
	}
}
