// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/providertest"
)

// definitionsFolder is the built-in catalogue's.
const definitionsFolder = "../../../schemas/provider/definitions"

// result is what a command did.
type result struct {
	code      int
	out, errs string
}

// ingest runs a command line as the program does.
func ingest(t *testing.T, args ...string) result {
	t.Helper()
	var commands Commands
	var out, errs bytes.Buffer
	parser, err := kong.New(&commands, kong.Name("ingest"), kong.Writers(&out, &errs))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return result{2, out.String(), err.Error()}
	}
	parsed.BindTo(t.Context(), (*context.Context)(nil))
	err = parsed.Run()
	var coded kong.ExitCoder
	switch {
	case err == nil:
		return result{0, out.String(), errs.String()}
	case errors.As(err, &coded):
		return result{coded.ExitCode(), out.String(), errs.String()}
	}
	return result{1, out.String(), errs.String() + err.Error()}
}

// want checks the exit code and that out or errs hold every text.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.errs, text) {
			t.Errorf("no %q in:\n%s\n%s", text, r.out, r.errs)
		}
	}
}

// write puts files into a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var acme = providertest.Acme("order") + `events:
  - types: [order.paid]
    entity: order
    requires: {body.order: "*"}
    fields:
      number: .order
`

// paid was signed by: printf %s "$body" | openssl dgst -sha256 -hmac s3cret
const paid = `# A paid order.
request:
  headers:
    X-Acme-Signature: ea4ca362efc369ab245f978393afabf34b0ba896783f754a222cfd1e327566a1
  body: |-
    {"id":"ev_1","type":"order.paid","order":"A-7","at":1767322800}
secret: s3cret
want:
  records:
    - {id: ev_1, type: order.paid, key: A-7}
`

const refused = `# Signed with another secret.
request:
  headers:
    X-Acme-Signature: ea4ca362efc369ab245f978393afabf34b0ba896783f754a222cfd1e327566a1
  body: |-
    {"id":"ev_1","type":"order.paid","order":"A-7","at":1767322800}
secret: other
want:
  refused: signature_mismatch
`
