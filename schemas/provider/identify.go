// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/identity"
)

// Identified is what a definition finds in a request.
type Identified struct {
	// Tenant is lower-case, and empty where no alternative resolved. It need
	// not be a ValidName.
	Tenant string
	// EventID is empty, and Source is None, where no alternative resolved.
	EventID string
	Source  identity.Source
	// EventType is empty where no alternative resolved.
	EventType string
	// BusinessKey is empty where no alternative resolved.
	BusinessKey string
	OccurredAt  time.Time
	Sequence    *int64
}

// Identify resolves the identity of one request. An error means that a time or
// a sequence was found and is not one; the other parts are set all the same.
func (id *Identity) Identify(lookup Lookup) (Identified, error) {
	var out Identified
	out.EventType, _ = first(id.Type, "", lookup)
	tenant, _ := first(id.Tenant, out.EventType, lookup)
	out.Tenant = strings.ToLower(tenant)
	text, alt := first(id.ID, out.EventType, lookup)
	out.EventID, out.Source = text, source(alt)
	out.BusinessKey, _ = first(id.Key, out.EventType, lookup)

	errTime := each(id.Time, out.EventType, lookup, func(alt *Alternative, text string) (err error) {
		out.OccurredAt, err = alt.Unit.Parse(text)
		return err
	})
	errSequence := each(id.Sequence, out.EventType, lookup, func(_ *Alternative, text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%.40q is not an integer", text)
		}
		out.Sequence = &n
		return nil
	})
	return out, errors.Join(errTime, errSequence)
}

// each gives parse the text of every alternative that applies, in order, until
// one is understood: a sender may write its time in several ways. The error is
// the last one's.
func each(list []Alternative, eventType string, lookup Lookup, parse func(*Alternative, string) error) error {
	var failed error
	for i := range list {
		if !list[i].When.Match(eventType) {
			continue
		}
		text, ok := list[i].From.Expand(lookup)
		if !ok || text == "" {
			continue
		}
		err := parse(&list[i], text)
		if err == nil {
			return nil
		}
		failed = fmt.Errorf("%s: %w", list[i].From, err)
	}
	return failed
}

func source(alt *Alternative) identity.Source {
	switch {
	case alt == nil:
		return identity.None
	case alt.Natural:
		return identity.NaturalKey
	}
	return identity.ProviderID
}

// first returns the text of the first alternative that applies.
func first(list []Alternative, eventType string, lookup Lookup) (string, *Alternative) {
	for i := range list {
		if !list[i].When.Match(eventType) {
			continue
		}
		if text, ok := list[i].From.Expand(lookup); ok && text != "" {
			return text, &list[i]
		}
	}
	return "", nil
}
