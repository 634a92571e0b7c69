// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Allow reports whether a weaker scheme of the pair's provider is taken although
// the pair has a key for a stronger one.
type Allow func(of secret.Pair, scheme string) bool

// AllowAll is for requests that were accepted before, under whatever was allowed
// then.
func AllowAll(secret.Pair, string) bool { return true }

// Weaker are the weaker schemes that an operator allows, by provider or by
// tenant/provider.
type Weaker map[string][]string

// ParseWeaker reads lists of schemes' names, separated by commas, by provider or by
// tenant/provider.
func ParseWeaker(lists map[string]string) (Weaker, error) {
	w := make(Weaker, len(lists))
	for name, list := range lists {
		tenant, providerName, slash := strings.Cut(name, "/")
		if !provider.ValidName(tenant) || slash && !provider.ValidName(providerName) {
			return nil, fmt.Errorf("%q is neither provider nor tenant/provider", name)
		}
		for scheme := range strings.SplitSeq(list, ",") {
			w[name] = append(w[name], strings.TrimSpace(scheme))
		}
	}
	return w, nil
}

// Allows is an Allow. The tenant's own list counts instead of the provider's.
func (w Weaker) Allows(of secret.Pair, scheme string) bool {
	list, listed := w[of.String()]
	if !listed {
		list = w[of.Provider]
	}
	return slices.Contains(list, scheme)
}

// Check finds names of providers and schemes that there are not: who allows less
// than they believe finds out when webhooks are refused.
func (w Weaker) Check(verifiers Verifiers) error {
	var errs []error
	for name, list := range w {
		_, providerName, slash := strings.Cut(name, "/")
		if !slash {
			providerName = name
		}
		v, ok := verifiers[providerName]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: no definition of a provider %q", name, providerName))
			continue
		}
		weaker := v.weaker()
		for _, scheme := range list {
			if !slices.Contains(weaker, scheme) {
				errs = append(errs, fmt.Errorf("%s=%s: %s has no weaker scheme of that name, only [%s]", name, scheme, providerName, strings.Join(weaker, ", ")))
			}
		}
	}
	return errors.Join(errs...)
}

// weaker lists the schemes that have to be allowed.
func (v *Verifier) weaker() (names []string) {
	for _, a := range v.alternatives {
		if a.mustBeAllowed() {
			names = append(names, a.label)
		}
	}
	return names
}

func (a *alternative) mustBeAllowed() bool {
	return a.spec.Weaker != nil && a.spec.Weaker.Accepted == ""
}

// requireStrong takes the keys from weaker schemes that are not allowed, where there
// is one for a stronger scheme: whoever has seen a request could leave its stronger
// signature out.
func (v *Verifier) requireStrong(keys []Key, allowed func(scheme string) bool) {
	strong := false
	for _, a := range v.alternatives {
		if strong && a.mustBeAllowed() && !allowed(a.label) {
			for i := range keys {
				keys[i].forms[a.index] = nil
			}
		}
		strong = strong || has(keys, a.index)
	}
}
