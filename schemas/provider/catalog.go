// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/yamlfile"
)

//go:embed definitions/*.yaml
var embedded embed.FS

// Catalog holds the provider definitions of an installation by name.
type Catalog map[string]*Definition

// Load reads the embedded definitions and lays those of dir over them, where
// dir is not empty: a file there replaces the embedded one of the same name or
// adds a provider. The error joins every problem found, with file and line.
func Load(dir string) (Catalog, error) {
	c := Catalog{}
	sub, err := fs.Sub(embedded, "definitions")
	if err != nil {
		return nil, err
	}
	errs := []error{c.read(sub, "")}
	if dir != "" {
		errs = append(errs, c.read(os.DirFS(dir), dir))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c Catalog) read(files fs.FS, dir string) error {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("provider definitions: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		if entry.IsDir() || path.Ext(entry.Name()) != ".yaml" {
			continue
		}
		data, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d, err := Parse(filepath.Join(dir, entry.Name()), data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c[d.Provider] = d
	}
	return errors.Join(errs...)
}

// Names lists the providers in order.
func (c Catalog) Names() []string { return slices.Sorted(maps.Keys(c)) }

// Parse reads and validates one definition. File names it in errors; its base
// must be the provider's name.
func Parse(file string, data []byte) (*Definition, error) {
	d := &Definition{Unmapped: UnmappedGeneric, File: file}
	var err error
	if d.source, err = yamlfile.Parse(file, data, d); err != nil {
		return nil, err
	}
	d.setDefaults()
	if err := d.validate(); err != nil {
		return nil, err
	}
	if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); want != d.Provider {
		return nil, d.Problem(fmt.Sprintf("%q does not match the file's name", d.Provider), "provider")
	}
	return d, nil
}

// setDefaults writes out what a file may leave out, so that nobody else needs to
// know the defaults.
func (d *Definition) setDefaults() {
	if len(d.Methods) == 0 {
		d.Methods = []string{http.MethodPost}
	}
	if len(d.Body.Formats) == 0 {
		d.Body.Formats = []Format{JSON}
	}
	d.Body.batch = body.NewBatch(d.Body.Batch)
	if d.Answer != nil {
		d.Answer.setDefaults()
	}
	for i := range d.Verify {
		d.Verify[i].setDefaults()
	}
	for i := range d.Handshakes {
		h := &d.Handshakes[i]
		h.Answer.setDefaults()
		if h.Method == "" {
			h.Method = http.MethodPost
		}
		h.Unverified = h.Unverified || h.Method != http.MethodPost
	}
}

func (a *Answer) setDefaults() {
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
}

func (v *Verify) setDefaults() {
	if v.Scheme == Basic && v.Signature == (Location{}) {
		v.Signature.Header = "Authorization"
	}
	// How a key is written in a secret must be said; what is compared as it is
	// leaves no choice.
	if v.Secret.Encoding == "" && !v.Scheme.rules().key {
		v.Secret.Encoding = "raw"
	}
}
