// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/stage/reload"
)

// Source holds the definitions in force and follows their folder.
type Source = reload.Source[Loaded]

// Loaded is a catalog and the definitions that it was compiled from.
type Loaded struct {
	Catalog     Catalog
	definitions provider.Catalog
}

// reloadEvery is how often the folder is looked at: often, for a corrected mapping
// lets waiting partitions go on.
const reloadEvery = 2 * time.Second

// NewSource loads the embedded definitions and those of dir, which may be empty.
// The error joins every problem, each with file and line. Status is told whether
// the folder holds what is in force; may be nil.
func NewSource(dir string, status func(ready bool, reason string), log *slog.Logger) (*Source, error) {
	return reload.New(reload.Config[Loaded]{
		Name: "definitions", Every: reloadEvery, Status: status, Log: log,
		Fingerprint: func() (reload.Fingerprint, error) {
			print, err := reload.Folder(dir, "*.yaml")
			if err != nil {
				err = fmt.Errorf("HOOKSTREAM_DEFINITIONS_DIR: %w", err)
			}
			return print, err
		},
		Load: func(inForce Loaded) (Loaded, error) {
			next, err := load(dir)
			if err != nil {
				return Loaded{}, err
			}
			return next, revised(inForce.definitions, next.definitions)
		},
		Attributes: func(l Loaded) []slog.Attr { return []slog.Attr{slog.Int("providers", len(l.Catalog))} },
	})
}

// revised checks that every definition whose events changed has a higher
// revision: without one, events of both mappings could not be told apart.
func revised(before, after provider.Catalog) error {
	var errs []error
	for name, def := range after {
		was := before[name]
		if was != nil && def.Revision <= was.Revision && !reflect.DeepEqual(was.Events, def.Events) {
			errs = append(errs, def.Problem(fmt.Sprintf("is %d, but events differ from those of revision %d in force; raise it", def.Revision, was.Revision), "revision"))
		}
	}
	return errors.Join(errs...)
}
