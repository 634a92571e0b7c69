// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"net/http"
	"slices"
)

// Status holds the types of one HTTP status, for an API's description.
type Status struct {
	Status int
	// Text is the status's name.
	Text     string
	Problems []Type
}

// ByStatus groups types, in the order of their statuses.
func ByStatus(types []Type) []*Status {
	var all []*Status
	for _, t := range types {
		i := slices.IndexFunc(all, func(s *Status) bool { return s.Status == t.Status })
		if i < 0 {
			i = len(all)
			all = append(all, &Status{Status: t.Status, Text: http.StatusText(t.Status)})
		}
		all[i].Problems = append(all[i].Problems, t)
	}
	slices.SortStableFunc(all, func(a, b *Status) int { return a.Status - b.Status })
	return all
}
