// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/schemas/event"
)

// State is how an entity's schema stands to what is registered for its topic.
type State string

// The states.
const (
	// Registered: the schema is the newest version of the subject.
	Registered State = "registered"
	// Compatible: registering it would add a version, and may.
	Compatible State = "compatible"
	// Absent: the subject has no version yet.
	Absent State = "absent"
	// Incompatible: some version and the schema cannot read each other's
	// data. Register refuses it.
	Incompatible State = "incompatible"
)

// Standing is what Check found of one entity.
type Standing struct {
	Entity  string `json:"entity"`
	Subject string `json:"subject"`
	State   State  `json:"state"`
	// Versions is the number of versions that the schema was compared with.
	Versions int `json:"versions"`
	// Conflicts says with which versions it is incompatible, and why.
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// Conflict is one version that the schema is incompatible with.
type Conflict struct {
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Reason  string `json:"reason"`
}

// Check compares entity's schema with every version of its topic's subject, in
// both directions (FULL_TRANSITIVE), and writes nothing. An error is the
// registry's; an incompatibility is a State.
func Check(ctx context.Context, client *sr.Client, topic string, entity *event.Entity) (Standing, error) {
	s := Standing{Entity: entity.Name, Subject: Subject(topic), State: Absent}
	versions, err := client.Schemas(ctx, s.Subject)
	if err != nil && !is(err, sr.ErrSubjectNotFound) {
		return s, ask("list versions of "+s.Subject, err)
	}
	newest := 0
	for _, v := range versions {
		s.Versions++
		if v.Version > newest {
			newest = v.Version
			s.State = Compatible
			if event.SameSchema(v.Schema.Schema, entity.Schema()) {
				s.State = Registered
			}
		}
		if err := event.CheckCompatible(v.Schema.Schema, entity.Schema()); err != nil {
			s.Conflicts = append(s.Conflicts, Conflict{v.Version, v.ID, err.Error()})
		}
	}
	if len(s.Conflicts) > 0 {
		s.State = Incompatible
	}
	return s, nil
}
