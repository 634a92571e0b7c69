// SPDX-License-Identifier: Apache-2.0

package verify

// The hash functions that definitions may pin, for crypto.Hash.
import (
	_ "crypto/sha1" //nolint:gosec // providers that still sign with it; the definition pins it
	_ "crypto/sha256"
	_ "crypto/sha512"
)
