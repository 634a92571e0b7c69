// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fingerprint is SHA-256 over what the entries say: whose they are and what they
// hold, not where that is written.
func Fingerprint(entries []Entry) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, e := range entries {
		for _, text := range []string{e.Tenant, e.Provider, e.Secret.Reveal()} {
			h.Write(binary.AppendUvarint(nil, uint64(len(text))))
			h.Write([]byte(text))
		}
		if e.VerifyToken {
			h.Write([]byte{0xff})
		}
	}
	h.Sum(sum[:0])
	return sum
}
