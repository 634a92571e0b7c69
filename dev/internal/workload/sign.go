// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Request is one delivery of the event, signed now with the provider's real
// scheme.
func (e *Event) Request(ctx context.Context, baseURL string, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, baseURL+"/webhooks/"+e.Provider, bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	req.Header = e.Header.Clone()
	req.Header.Set("Content-Type", "application/json")
	e.sign(req, now)
	if e.tamper != nil {
		e.tamper(req, now)
	}
	return req, nil
}

func (e *Event) sign(req *http.Request, now time.Time) {
	secret := Secrets[e.Provider]
	ts := strconv.FormatInt(now.Unix(), 10)
	switch e.Provider {
	case "stripe":
		// https://docs.stripe.com/webhooks#verify-manually
		req.Header.Set("Stripe-Signature", "t="+ts+",v1="+hex.EncodeToString(mac([]byte(secret), ts+".", e.Body)))
	case "github":
		// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac([]byte(secret), "", e.Body)))
	case "shopify":
		// https://shopify.dev/docs/apps/build/webhooks/subscribe/https
		req.Header.Set("X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac([]byte(secret), "", e.Body)))
	case "svix":
		// https://docs.svix.com/receiving/verifying-payloads/how-manual
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		req.Header.Set("svix-id", e.ID)
		req.Header.Set("svix-timestamp", ts)
		req.Header.Set("svix-signature", "v1,"+base64.StdEncoding.EncodeToString(mac(key, e.ID+"."+ts+".", e.Body)))
	}
}

func mac(key []byte, prefix string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(prefix))
	h.Write(body)
	return h.Sum(nil)
}
