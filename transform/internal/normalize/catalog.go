// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"errors"
	"fmt"

	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Catalog holds the compiled definitions by provider. It does not change.
type Catalog map[string]Definition

// Definition is one provider's compiled definition.
type Definition struct {
	*mapping.Mapper
	Revision int32
}

// load reads and compiles the embedded definitions and those of dir, which may
// be empty. The error joins every problem, each with file and line.
func load(dir string) (Loaded, error) {
	defs, err := provider.Load(dir)
	if err != nil {
		return Loaded{}, fmt.Errorf("provider definitions:\n%w", err)
	}
	c := Catalog{}
	var errs []error
	for _, name := range defs.Names() {
		m, err := mapping.Compile(defs[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c[name] = Definition{m, defs[name].Revision}
	}
	if err := errors.Join(errs...); err != nil {
		return Loaded{}, fmt.Errorf("provider definitions:\n%w", err)
	}
	return Loaded{c, defs}, nil
}
