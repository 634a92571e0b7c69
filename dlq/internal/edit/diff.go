// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"fmt"
	"strings"
)

const (
	// maxCells bounds the table that the longest common lines are found with.
	maxCells = 4 << 20
	// maxDiff bounds what is kept of a difference.
	maxDiff = 32 << 10
)

// Diff lists the lines that differ, in order: - for those of a, + for those of
// b, after a line that says where they are in a. It is empty where nothing
// differs.
func Diff(a, b []string) string {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	enda, endb := len(a), len(b)
	for enda > start && endb > start && a[enda-1] == b[endb-1] {
		enda, endb = enda-1, endb-1
	}
	d := differ{line: start + 1}
	d.compare(a[start:enda], b[start:endb])
	if d.b.Len() > maxDiff {
		return strings.ToValidUTF8(d.b.String()[:maxDiff], "") + "\n… cut here\n"
	}
	return d.b.String()
}

type differ struct {
	b    strings.Builder
	line int // of a
	at   int // the line after the last one that was written
}

func (d *differ) compare(a, b []string) {
	if len(a)*len(b) > maxCells { // one block instead of many small ones
		for _, l := range a {
			d.minus(l)
		}
		for _, l := range b {
			d.plus(l)
		}
		return
	}
	common := longest(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j, d.line = i+1, j+1, d.line+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			d.minus(a[i])
			i++
		default:
			d.plus(b[j])
			j++
		}
	}
}

func (d *differ) minus(l string) {
	d.place()
	d.b.WriteString("-" + l + "\n")
	d.line++
	d.at = d.line
}

func (d *differ) plus(l string) {
	d.place()
	d.b.WriteString("+" + l + "\n")
	d.at = d.line
}

func (d *differ) place() {
	if d.at != d.line {
		fmt.Fprintf(&d.b, "@@ line %d\n", d.line)
	}
}

// longest holds how many lines the rests of a and b have in common, in order.
func longest(a, b []string) [][]int32 {
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
