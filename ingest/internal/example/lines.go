// SPDX-License-Identifier: Apache-2.0

package example

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// lines finds the line of a field, written as in want.records[0].id.
type lines map[string]int

func linesOf(root *yaml.Node) lines {
	l := lines{}
	l.walk(root, "")
	return l
}

func (l lines) walk(n *yaml.Node, path string) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			l.walk(c, path)
		}
		return
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
			l.walk(n.Content[i+1], name)
			l[name] = n.Content[i].Line // a block begins below its name
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			l.walk(c, fmt.Sprintf("%s[%d]", path, i))
		}
	}
	l[path] = n.Line
}

// at is the line of a field, or of the nearest one around it that is there.
func (l lines) at(field string) int {
	for {
		if line, ok := l[field]; ok || field == "" {
			return line
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
}
