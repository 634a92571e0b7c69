// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/provider"
)

// Pair is whom a secret belongs to.
type Pair struct{ Tenant, Provider string }

// String is tenant/provider.
func (p Pair) String() string { return p.Tenant + "/" + p.Provider }

// Entry is one configured secret. Several entries of one pair are several
// secrets, of which any may have signed.
type Entry struct {
	Pair
	Secret Secret
	// VerifyToken marks what a handshake repeats, not what signs.
	VerifyToken bool
	// Origin says where it was configured, for errors: file:line, or the
	// variable and the entry's number.
	Origin string
	// Changed is when its file was last written; zero for a variable, which
	// does not tell.
	Changed time.Time
}

const (
	// verifyTokenSuffix on a provider's name marks a verify token.
	verifyTokenSuffix = ".verify-token"
	// pendingSuffix on a file's name keeps it out of force, see Capture.
	pendingSuffix = ".pending"
)

// parseName reads a provider's name with or without the suffix.
func parseName(tenant, name string) (Entry, bool) {
	name, isToken := strings.CutSuffix(name, verifyTokenSuffix)
	return Entry{Pair: Pair{tenant, name}, VerifyToken: isToken}, provider.ValidName(tenant) && provider.ValidName(name)
}

// Load reads the secrets of a directory and of a variable, either of which may
// be empty. The error joins every problem found; it names files, lines and
// entries, and never what they hold.
func Load(dir string, variable Secret) ([]Entry, error) {
	fromDir, errDir := readDir(dir)
	fromVariable, errVariable := parse(variable)
	if err := errors.Join(errDir, errVariable); err != nil {
		return nil, err
	}
	return append(fromDir, fromVariable...), nil
}

// parse reads HOOKSTREAM_SECRETS: tenant/provider=secret, separated by
// semicolons; tenant/provider.verify-token=token for a verify token. A secret that
// holds a semicolon needs a file.
func parse(variable Secret) ([]Entry, error) {
	var entries []Entry
	var errs []error
	n := 0
	for item := range strings.SplitSeq(variable.Reveal(), ";") {
		n++
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		origin := fmt.Sprintf("HOOKSTREAM_SECRETS: entry %d", n)
		name, text, found := strings.Cut(item, "=")
		tenant, providerName, slash := strings.Cut(strings.TrimSpace(name), "/")
		entry, valid := parseName(tenant, providerName)
		entry.Secret, entry.Origin = Secret(strings.TrimSpace(text)), origin
		switch {
		// Without = the whole entry may be a secret, so it is not quoted.
		case !found || !slash || !valid:
			errs = append(errs, fmt.Errorf("%s is not tenant/provider=secret (names are lower-case letters, digits and dashes)", origin))
		case entry.Secret == "":
			errs = append(errs, fmt.Errorf("%s has no secret after the =", origin))
		default:
			entries = append(entries, entry)
		}
	}
	return entries, errors.Join(errs...)
}

// readDir reads HOOKSTREAM_SECRETS_DIR: a folder a tenant, in it a file a
// provider, and one with the suffix for its verify token.
func readDir(dir string) ([]Entry, error) {
	if dir == "" {
		return nil, nil
	}
	tenants, err := names(dir)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %w", err)
	}
	var entries []Entry
	var errs []error
	for _, tenant := range tenants {
		found, err := readTenant(filepath.Join(dir, tenant), tenant)
		entries = append(entries, found...)
		errs = append(errs, err)
	}
	return entries, errors.Join(errs...)
}

func readTenant(dir, tenant string) ([]Entry, error) {
	if !provider.ValidName(tenant) {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %s is not named like a tenant (lower-case letters, digits and dashes)", dir)
	}
	providers, err := names(dir)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR holds a folder a tenant, and in it a file a provider: %w", err)
	}
	var entries []Entry
	var errs []error
	for _, name := range providers {
		if strings.HasSuffix(name, pendingSuffix) {
			continue
		}
		found, err := readFile(filepath.Join(dir, name), tenant)
		entries = append(entries, found...)
		errs = append(errs, err)
	}
	return entries, errors.Join(errs...)
}

// names lists a folder without hidden entries: Kubernetes mounts a Secret's
// files as links into hidden folders beside them.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// readFile reads one secret a line. Empty lines and those that begin with # are
// skipped, and spaces around a secret are cut off.
func readFile(file, tenant string) ([]Entry, error) {
	entry, valid := parseName(tenant, filepath.Base(file))
	if !valid {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %s is not named like a provider (lower-case letters, digits and dashes)", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %w", err)
	}
	entry.Changed = info.ModTime()
	var entries []Entry
	line := 0
	for text := range strings.SplitSeq(string(data), "\n") {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		entry.Secret, entry.Origin = Secret(text), fmt.Sprintf("%s:%d", file, line)
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("HOOKSTREAM_SECRETS_DIR: %s holds no secret; write one a line, or remove the file", file)
	}
	return entries, nil
}
