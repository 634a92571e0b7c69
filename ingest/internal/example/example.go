// SPDX-License-Identifier: Apache-2.0

// Package example reads the examples of a provider definition and holds the
// edge to them. An example is a request, literally as the provider sends it,
// and what must come of it: the answer, and the identity of every record or the
// cause of the refusal. Definitions are tested by them, without Go.
package example

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/yamlfile"
)

// Folder is where a folder of definitions keeps its examples, in a folder a
// provider.
const Folder = "examples"

// Example is one file.
type Example struct {
	Request Request `yaml:"request"`
	// Secrets are those configured for the request's tenant and the provider.
	Secrets Strings `yaml:"secret"`
	// Weaker are the weaker schemes that are allowed.
	Weaker Strings `yaml:"weaker"`
	// VerifyToken is the configured verify token; may be empty.
	VerifyToken string `yaml:"verify_token"`
	// At is the edge's clock.
	At time.Time `yaml:"at"`
	// Certificate, in PEM, is what every pinned certificate URL serves. The
	// last one in it is trusted as the root.
	Certificate string `yaml:"certificate"`
	// Keys is the JSON Web Key Set that every pinned URL of one serves.
	Keys string `yaml:"keys"`
	Want Want   `yaml:"want"`

	// File is where the example was read from.
	File string `yaml:"-"`

	source *yamlfile.File
}

// Request is what the provider sends.
type Request struct {
	// Method is POST where it is empty.
	Method string `yaml:"method"`
	// URL is https://hooks.example.com/webhooks/{provider} where it is empty.
	URL     string             `yaml:"url"`
	Headers map[string]Strings `yaml:"headers"`
	// Body holds the exact bytes; BodyBase64 does for what YAML cannot write.
	Body       string `yaml:"body"`
	BodyBase64 string `yaml:"body_base64"`
}

// Want is what must come of the request.
type Want struct {
	// Status is that of the definition's answer where it is 0, or 401 with
	// Refused.
	Status int `yaml:"status"`
	// Refused is the cause of a refused verification.
	Refused string `yaml:"refused"`
	// Answer is the exact body of the answer; nil does not compare it.
	Answer *string `yaml:"answer"`
	// Records are all that is stored, in order.
	Records []Record `yaml:"records"`
}

// Record is the identity that a stored record must have. ID, Type and Key are
// what the edge makes up where Defect says so, and then may be left out.
type Record struct {
	ID       string     `yaml:"id"`
	Natural  bool       `yaml:"natural"`
	Type     string     `yaml:"type"`
	Key      string     `yaml:"key"`
	Time     *time.Time `yaml:"time"`
	Tenant   string     `yaml:"tenant"`
	Sequence *int64     `yaml:"sequence"`
	Defect   string     `yaml:"defect"`
}

// Strings is in YAML one string or a list of them.
type Strings []string

// UnmarshalYAML reads either.
func (s *Strings) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Load((*[]string)(s))
	}
	*s = make(Strings, 1)
	return n.Load(&(*s)[0])
}

// defaultTime is the clock of examples that set none.
var defaultTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Dir is where the examples of a definition read from file are.
func Dir(file, providerName string) string {
	return filepath.Join(filepath.Dir(file), Folder, providerName)
}

// Load reads every example of a folder, in the order of their names. A folder
// that does not exist has none. The error joins every problem found.
func Load(dir string) ([]*Example, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []*Example
	var errs []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			var e *Example
			e, err = Parse(file, data)
			all = append(all, e)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// Parse reads one example. File names it in errors.
func Parse(file string, data []byte) (*Example, error) {
	e := &Example{File: file, At: defaultTime}
	var err error
	if e.source, err = yamlfile.Parse(file, data, e); err != nil {
		return nil, err
	}
	if err := errors.Join(e.validate()...); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Example) validate() (errs []error) {
	add := func(field path, format string, args ...any) { errs = append(errs, e.problem(field, format, args...)) }
	if e.Request.Body != "" && e.Request.BodyBase64 != "" {
		add(path{"request", "body_base64"}, "give the body once, as body or as body_base64")
	}
	if _, err := base64.StdEncoding.DecodeString(e.Request.BodyBase64); err != nil {
		add(path{"request", "body_base64"}, "%v", err)
	}
	if e.Want.Refused != "" && len(e.Want.Records) > 0 {
		add(path{"want", "records"}, "what is refused stores nothing; leave it out")
	}
	for i := range e.Want.Records {
		r := &e.Want.Records[i]
		if r.Defect == "" && (r.ID == "" || r.Type == "" || r.Key == "") {
			add(path{"want", "records", i}, "needs id, type and key, unless it has a defect")
		}
	}
	return errs
}

// body is what the request carries.
func (r *Request) body() []byte {
	if r.BodyBase64 == "" {
		return []byte(r.Body)
	}
	data, _ := base64.StdEncoding.DecodeString(r.BodyBase64) // checked by validate
	return data
}

// path leads to a field, in mapping keys and list indices.
type path []any

// problem is something wrong with the example, or not as it wants.
func (e *Example) problem(field path, format string, args ...any) error {
	return e.source.Problem(fmt.Sprintf(format, args...), field...)
}
