// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

type signCommand struct {
	Provider   string        `required:"" help:"Whose signature." placeholder:"NAME"`
	Secret     secret.Secret `xor:"secret" required:"" help:"The secret, as it is configured. It stays in the shell's history; prefer the file." placeholder:"TEXT"`
	SecretFile string        `xor:"secret" required:"" type:"existingfile" help:"File whose first secret signs; a private key in PEM for ed25519 and ecdsa." placeholder:"FILE"`
	Body       string        `required:"" help:"File with the exact body; - is standard input." placeholder:"FILE"`
	URL        string        `name:"url" help:"Where the request goes, by default the provider's endpoint on this machine." placeholder:"URL"`
	Method     string        `help:"HTTP method." default:"POST"`
	Header     []string      `help:"Header of the request; may be repeated." sep:"none" placeholder:"NAME:VALUE"`
	At         time.Time     `help:"Signed time, RFC 3339; now where it is not given." placeholder:"TIME"`
	definitions
}

// Help is shown below the usage.
func (*signCommand) Help() string {
	return `Prints a curl command with everything that the provider's scheme wants, to try an
endpoint out. The secret shows in it only where the scheme itself sends it. A shell takes
a pipe's last exit code: set -o pipefail in scripts, so that a failure here counts.

Examples:
  ingest sign --provider stripe --secret-file secrets/default/stripe --body event.json
  ingest sign --provider github --secret-file secrets/default/github --body push.json \
    --header X-GitHub-Event:push --header X-GitHub-Delivery:1 | sh
  echo '{"id":1}' | ingest sign --provider shopify --secret s3cret --body - \
    --url https://hooks.example.com/webhooks/acme/shopify`
}

// Run signs and prints.
func (c *signCommand) Run(k *kong.Context) error {
	def, err := c.find(c.Provider)
	if err != nil {
		return err
	}
	verifier, err := verify.Compile(def, verify.Trust{})
	if err != nil {
		return err
	}
	body, err := readBody(c.Body)
	if err != nil {
		return err
	}
	r, err := c.request(def)
	if err != nil {
		return err
	}
	s, err := c.secret()
	if err != nil {
		return err
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	if _, err := verifier.SignRequest(r, body, s, c.At); err != nil {
		return fmt.Errorf("%s: %w", c.Provider, err)
	}
	command, err := c.curl(r, body)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(k.Stdout, command); err != nil {
		return err
	}
	if missing := missingHeaders(def, r); len(missing) > 0 {
		_, err = fmt.Fprintf(k.Stderr, "%s also refers to %s; add what the event needs with --header\n", c.Provider, strings.Join(missing, ", "))
	}
	return err
}

func readBody(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

// secret is the flag's, or the first of the file.
func (c *signCommand) secret() (secret.Secret, error) {
	if c.SecretFile == "" {
		return c.Secret, nil
	}
	data, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(data), "-----BEGIN") {
		return secret.Secret(data), nil
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return secret.Secret(line), nil
		}
	}
	return "", fmt.Errorf("%s holds no secret", c.SecretFile)
}

func (c *signCommand) request(def *provider.Definition) (*http.Request, error) {
	url := c.URL
	if url == "" {
		url = "http://localhost:8080/webhooks/" + def.Provider
	}
	r, err := http.NewRequestWithContext(context.Background(), c.Method, url, nil)
	if err != nil {
		return nil, err
	}
	if r.URL.Host == "" {
		return nil, fmt.Errorf("--url %q is not absolute", url)
	}
	for _, header := range c.Header {
		name, value, ok := strings.Cut(header, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--header %q is not name:value", header)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType(def))
	}
	return r, nil
}

// contentType is what the provider sends.
func contentType(def *provider.Definition) string {
	if slices.Contains(def.Body.Formats, provider.JSON) {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// curl writes the command for a POSIX shell.
func (c *signCommand) curl(r *http.Request, body []byte) (string, error) {
	lines := []string{"curl -sS -i " + quote(r.URL.String())}
	if r.Method != http.MethodPost {
		lines[0] = "curl -sS -i -X " + quote(r.Method) + " " + quote(r.URL.String())
	}
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			lines = append(lines, "-H "+quote(name+": "+value))
		}
	}
	switch {
	case c.Body != "-":
		lines = append(lines, "--data-binary "+quote("@"+c.Body))
	case !utf8.Valid(body) || strings.ContainsRune(string(body), 0):
		return "", errors.New("a body that is no text must be in a file")
	default:
		lines = append(lines, "--data-raw "+quote(string(body)))
	}
	return strings.Join(lines, " \\\n  ") + "\n", nil
}

// quote makes s one word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// missingHeaders are those that identity may need, which only the caller knows.
func missingHeaders(def *provider.Definition, r *http.Request) []string {
	var missing []string
	id := &def.Identity
	for _, list := range [][]provider.Alternative{id.ID, id.Type, id.Key} {
		for i := range list {
			for _, ref := range list[i].From.Refs() {
				if ref.Kind == provider.RefHeader && r.Header.Get(ref.Name) == "" && !slices.Contains(missing, ref.Name) {
					missing = append(missing, ref.Name)
				}
			}
		}
	}
	return missing
}
