// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookstream/hookstream/schemas/provider"
)

// maxCaptured bounds what a stranger can have us write, in bytes.
const maxCaptured = 512

// Captor keeps secrets that providers send (Notion does) in files beside those
// in force, until an operator has compared one with what the provider shows and
// renames it: who sent it is not known.
type Captor struct {
	// Dir is HOOKSTREAM_SECRETS_DIR; nothing is captured without.
	Dir string
}

// Captures reports whether the pair may be sent a secret: the tenant has a
// folder, and nothing is configured or pending for the provider.
func (c Captor) Captures(tenant, providerName string) bool {
	if c.Dir == "" || !provider.ValidName(tenant) || !provider.ValidName(providerName) {
		return false
	}
	info, err := os.Stat(filepath.Join(c.Dir, tenant))
	if err != nil || !info.IsDir() {
		return false
	}
	for _, file := range []string{c.file(tenant, providerName), c.file(tenant, providerName) + pendingSuffix} {
		if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}

// Capture writes the secret to TENANT/PROVIDER.pending, which only the owner can
// read. It never replaces a file.
func (c Captor) Capture(tenant, providerName, text string) error {
	if !c.Captures(tenant, providerName) {
		return fmt.Errorf("the secret of %s/%s is not captured: one is configured or pending, or the tenant has no folder in HOOKSTREAM_SECRETS_DIR", tenant, providerName)
	}
	if text == "" || len(text) > maxCaptured || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("the secret of %s/%s is not captured: it is not one line of at most %d printable characters", tenant, providerName, maxCaptured)
	}
	name := c.file(tenant, providerName) + pendingSuffix
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("capture the secret of %s/%s: %w", tenant, providerName, err)
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(fmt.Errorf("capture the secret of %s/%s: %w", tenant, providerName, err), os.Remove(name))
	}
	return err
}

func (c Captor) file(tenant, providerName string) string {
	return filepath.Join(c.Dir, tenant, providerName)
}
