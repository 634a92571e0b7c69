// SPDX-License-Identifier: Apache-2.0

package provider

import "errors"

// Problem makes an error, a *yamlfile.Problem, that names the file, line and field
// of d. Path holds mapping keys and list indices.
func (d *Definition) Problem(message string, path ...any) error {
	p := d.source.Problem(message, path...)
	p.File = d.File
	return p
}

// problems collects what a validation finds.
type problems struct {
	def  *Definition
	errs []error
}

func (p *problems) add(message string, path ...any) {
	p.errs = append(p.errs, p.def.Problem(message, path...))
}

func (p *problems) err() error { return errors.Join(p.errs...) }
