// SPDX-License-Identifier: Apache-2.0

// Package providertest has a provider for tests: Acme, which signs its webhooks as
// most providers do. Definitions are text, for tests of definitions change it.
package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// The parts of Acme's definition, in its order. Each is whole lines.
const (
	// Head is lines 1 to 4.
	Head = `provider: acme
title: Acme
docs: https://acme.example/webhooks
revision: 1
`
	// Verify is HMAC-SHA256 over the body, in hex, in SignatureHeader.
	Verify = `verify:
  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {header: X-Acme-Signature}
  signed: "{body}"
  secret: {encoding: raw}
`
)

// SignatureHeader is where Acme's signatures are.
const SignatureHeader = "X-Acme-Signature"

// Identity finds the id and the type in the body's fields of these names, and the
// business key in the one that is named.
func Identity(key string) string {
	return `identity:
  id: [{from: "{body.id}"}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.` + key + `}"}]
`
}

// Acme is its definition without events: 15 lines. What follows goes on from
// there.
func Acme(key string) string { return Head + Verify + Identity(key) }

// Sign is Acme's signature.
func Sign(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}
