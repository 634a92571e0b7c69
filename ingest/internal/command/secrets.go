// SPDX-License-Identifier: Apache-2.0

package command

import (
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// secrets are the service's flags for its secrets.
type secrets struct {
	SecretsDir string        `help:"Folder of signing secrets: files named TENANT/PROVIDER, one secret a line." env:"HOOKSTREAM_SECRETS_DIR" placeholder:"DIR"`
	Secrets    secret.Secret `help:"Signing secrets: tenant/provider=secret, separated by semicolons. Prefer the folder." env:"HOOKSTREAM_SECRETS" placeholder:"LIST"`
}

// keyring has the keys of one provider, for every scheme that they fit: what was
// stored may have been verified when a weaker one was still allowed. What is wrong with the secrets of others
// does not matter here.
func (s *secrets) keyring(def *provider.Definition, verifier *verify.Verifier) (*verify.Keyring, error) {
	entries, err := secret.Load(s.SecretsDir, s.Secrets)
	if err != nil {
		return nil, err
	}
	var own []secret.Entry
	for _, e := range entries {
		if e.Provider == def.Provider {
			own = append(own, e)
		}
	}
	return verify.NewKeyring(own, verify.Verifiers{def.Provider: verifier}, verify.AllowAll)
}
