// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Setup is whose webhooks are taken and how: definitions, ready for requests, and
// keys that were decoded for them. It does not change.
type Setup struct {
	providers map[string]*compiled
	keys      Keys
}

// NewSetup compiles the definitions. The verifiers are theirs, and the keys are
// the verifiers'.
func NewSetup(catalog provider.Catalog, verifiers verify.Verifiers, keys Keys) *Setup {
	s := &Setup{providers: make(map[string]*compiled, len(catalog)), keys: keys}
	for name, def := range catalog {
		s.providers[name] = compile(def, verifiers[name])
	}
	return s
}

// Fixed is a setup that stays.
func Fixed(s *Setup) func() *Setup { return func() *Setup { return s } }
