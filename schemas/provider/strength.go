// SPDX-License-Identifier: Apache-2.0

package provider

import "fmt"

// Weaker says what follows from a scheme's proving less than one before it. Whoever
// has seen a request could leave its stronger signature out, so a weaker scheme
// verifies nothing where the tenant has a key for a stronger one, unless an
// operator allows it or Accepted says why it must be.
type Weaker struct {
	// Why it is weaker.
	Why string `yaml:"why"`
	// Accepted is why it is taken all the same; empty where it is not.
	Accepted string `yaml:"accepted"`
}

// strength is what a scheme proves of a request.
type strength struct {
	// body: the body is the sender's. fresh: the request is not an old one.
	body, fresh bool
	// hidden: who sees the request cannot sign another. hash: nor can who finds
	// collisions, or lengthens what was hashed.
	hidden, hash bool
}

func (v *Verify) strength() strength {
	return strength{
		body: v.CoversBody(),
		// A token expires, and nobody can repeat a TLS handshake.
		fresh:  v.Scheme == JSONWebToken || v.Scheme == MTLS || v.Timestamp != nil && v.Timestamp.Tolerance > 0,
		hidden: v.Scheme != Token && v.Scheme != Basic,
		hash:   v.Scheme != Hash && v.Scheme != Twilio && v.Algorithm != "sha1",
	}
}

// lacks says what v does not prove and other does, or "".
func (v *Verify) lacks(other *Verify) string {
	mine, its := v.strength(), other.strength()
	switch {
	case its.body && !mine.body:
		return "does not cover the body"
	case its.fresh && !mine.fresh:
		return "checks no signed time"
	case its.hidden && !mine.hidden:
		return "sends the secret itself"
	case its.hash && !mine.hash:
		return "rests on SHA-1 or on a plain hash"
	}
	return ""
}

// validateStrength checks that schemes are ranked: none proves more than one before
// it, unless each proves something that the other does not, and every weaker one
// says why.
func (d *Definition) validateStrength(p *problems) {
	for i := range d.Verify {
		v, at := &d.Verify[i], under(p, "verify", i)
		lacks, than := "", ""
		for j := range i {
			before := &d.Verify[j]
			if l := v.lacks(before); l != "" && lacks == "" {
				lacks, than = l, before.Name
			} else if l == "" && before.lacks(v) != "" {
				at.add(fmt.Sprintf("is stronger than %s, which %s; the strongest comes first", before.Name, before.lacks(v)))
			}
		}
		switch {
		case lacks != "" && v.Weaker == nil:
			at.add(fmt.Sprintf("is weaker than %s: it %s. Say so with weaker: {why: …}, and add accepted: … only where requests of this provider have no stronger one", than, lacks))
		case lacks == "" && v.Weaker != nil:
			at.add("is not weaker than a scheme before it", "weaker")
		case v.Weaker != nil && v.Weaker.Why == "":
			at.add("says not why", "weaker")
		}
	}
}
