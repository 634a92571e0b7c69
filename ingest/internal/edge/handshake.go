// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"log/slog"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// maxHandshake is the largest answer of a handshake, in bytes: it repeats what
// anyone may have sent.
const maxHandshake = 4 << 10

// handshake answers the first handshake that the request is, of those that are
// answered before the signature is checked or of those after it. It returns
// neither an answer nor a refusal where the request is none.
func (h *Handler) handshake(x *exchange, req *request.Request, unverified bool) (*reply, *refusal) {
	for i := range x.compiled.def.Handshakes {
		shake := &x.compiled.def.Handshakes[i]
		if shake.Unverified != unverified || shake.Method != x.Method || !shake.When.Hold(req.Lookup) {
			continue
		}
		if len(x.keys) == 0 && shake.Action != provider.Capture {
			continue
		}
		if r, refused := h.shake(x, req, shake); r != nil || refused != nil {
			return r, refused
		}
	}
	return nil, nil
}

// shake does what the handshake asks for and renders its answer.
func (h *Handler) shake(x *exchange, req *request.Request, shake *provider.Handshake) (*reply, *refusal) {
	sign := func(text string) (string, bool) { return x.compiled.verifier.Sign(text, x.keys) }
	body, ok := shake.Answer.Render(req.Lookup, sign)
	if !ok || len(body) > maxHandshake {
		return nil, nil
	}
	done, refused := h.act(x, req, shake)
	if !done || refused != nil {
		return nil, refused
	}
	return rendered(&shake.Answer, body, "handshake"), nil
}

// act does what the handshake asks for besides its answer. It reports false
// where the request is then no handshake but a webhook like any other.
func (h *Handler) act(x *exchange, req *request.Request, shake *provider.Handshake) (bool, *refusal) {
	switch {
	case shake.Action == provider.Confirm:
		return h.confirm(x, req, shake)
	case shake.Action == provider.Capture:
		return h.capture(x, req, shake)
	case shake.Token != nil:
		return h.checkToken(x, req, shake)
	}
	return true, nil
}

// checkToken compares the verify token that the provider repeats.
func (h *Handler) checkToken(x *exchange, req *request.Request, shake *provider.Handshake) (bool, *refusal) {
	token, ok := shake.Token.Expand(req.Lookup)
	if ok && x.setup.keys.VerifyToken(x.tenant, x.provider, token) {
		return true, nil
	}
	r := refuse(invalidSignature, "verify_token_mismatch: the verify token is not the configured one of this tenant and provider")
	r.outcome = "verify_token_mismatch"
	return false, r.with("WWW-Authenticate", x.compiled.challenge)
}

// confirm requests the URL of a confirmation. Without permission, or to another
// host, it does nothing: the request is stored for an operator to find.
func (h *Handler) confirm(x *exchange, req *request.Request, shake *provider.Handshake) (bool, *refusal) {
	text, ok := shake.URL.Expand(req.Lookup)
	if !ok || h.cfg.Confirmer == nil || !h.cfg.Confirmer.Confirms() {
		return false, nil
	}
	url, err := provider.PinnedURL(text, shake.Hosts)
	if err != nil {
		x.note(slog.LevelWarn, "a subscription's confirmation leads to a host that the definition does not name, so it is stored and not confirmed",
			slog.String("handshake", shake.Name))
		return false, nil
	}
	if err := h.cfg.Confirmer.Confirm(x.ctx, url.String()); err != nil {
		return false, refuse(notConfirmed, "the URL that confirms the subscription did not answer; send it again").with("Retry-After", retryAfter).because(err)
	}
	x.note(slog.LevelInfo, "confirmed a subscription", slog.String("handshake", shake.Name), slog.String("host", url.Hostname()))
	return true, nil
}

// captures reports whether the pair, which has no keys, may be sent one.
func (h *Handler) captures(x *exchange) bool {
	return x.compiled.captures && h.cfg.Capturer != nil && h.cfg.Capturer.Captures(x.tenant, x.provider)
}

// capture keeps the secret that the provider sends, only while there is none:
// otherwise anyone could replace it.
func (h *Handler) capture(x *exchange, req *request.Request, shake *provider.Handshake) (bool, *refusal) {
	secret, ok := shake.Token.Expand(req.Lookup)
	if !ok || len(x.keys) > 0 || !h.captures(x) {
		return false, nil
	}
	if err := h.cfg.Capturer.Capture(x.tenant, x.provider, secret); err != nil {
		return false, refuse(notConfirmed, "the secret could not be kept; send it again").with("Retry-After", retryAfter).because(err)
	}
	x.note(slog.LevelInfo, "kept the secret that the provider sent; check it with the provider and put it in force by its name without .pending")
	return true, nil
}
