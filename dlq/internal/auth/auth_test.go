// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var quiet = slog.New(slog.DiscardHandler)

func line(name, token, scopes string) string {
	return fmt.Sprintf("%s %x %s\n", name, sha256.Sum256([]byte(token)), scopes)
}

func tokensFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func request(t *testing.T, authorization string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", authorization)
	return r
}

func TestTokens(t *testing.T) {
	tokens, err := NewTokens(tokensFile(t, "# who may what\n\n"+line("alice", "a-token", "read,replay")+line("bob", "b-token", "read # only")), quiet)
	if err != nil {
		t.Fatal(err)
	}
	a := Authenticator{Tokens: tokens}
	for authorization, want := range map[string]any{
		"Bearer a-token": "token/alice", "bearer  b-token": "token/bob",
		"Bearer c-token": ErrInvalid, "Bearer A-TOKEN": ErrInvalid,
		"": ErrMissing, "Bearer": ErrMissing, "Bearer ": ErrMissing, "Basic YTpi": ErrMissing, "a-token": ErrMissing,
		// What is in the file lets nobody in.
		fmt.Sprintf("Bearer %x", sha256.Sum256([]byte("a-token"))): ErrInvalid,
	} {
		c, err := a.Caller(t.Context(), request(t, authorization))
		if wantErr, ok := want.(error); ok {
			if !errors.Is(err, wantErr) || c != nil {
				t.Errorf("%q gives %v, %v", authorization, c, err)
			}
		} else if err != nil || c.Name != want {
			t.Errorf("%q gives %v, %v", authorization, c, err)
		}
	}
	c, err := a.Caller(t.Context(), request(t, "Bearer a-token"))
	if err != nil || !c.May(Read) || !c.May(Replay) || c.May(Discard) {
		t.Errorf("%v, %v", c, err)
	}
}

func TestTokensFileIsRefused(t *testing.T) {
	good := line("alice", "a", "read")
	for want, text := range map[string]string{
		"line 2: want a name":                good + "bob s3cret-token read",
		"line 1: want a name":                "bob " + strings.Repeat("0", 64) + " read,write",
		"line 1: want a name, the":           "\xffb " + strings.Repeat("0", 64),
		"line 2: this name or token":         good + line("alice", "b", "read"),
		"line 2: this name or token is list": good + line("bob", "a", "read"),
		"is larger than 256 KiB":             strings.Repeat("#", maxTokensBytes+1),
	} {
		_, err := NewTokens(tokensFile(t, text), quiet)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.40q gives %v, want %q", text, err, want)
		}
	}
	if _, err := NewTokens(filepath.Join(t.TempDir(), "none"), quiet); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file gives %v", err)
	}
}

func TestChangedTokensAreInForceOrNotAtAll(t *testing.T) {
	var logged bytes.Buffer
	file := tokensFile(t, line("alice", "a", "read"))
	tokens, err := NewTokens(file, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(line("bob", "b", "read"))
	tokens.Look(t.Context())
	if tokens.caller("a") != nil || tokens.caller("b") == nil {
		t.Error("the changed file is not in force")
	}
	write("nonsense")
	for range 3 {
		tokens.Look(t.Context())
	}
	if tokens.caller("b") == nil {
		t.Error("a wrong file locked bob out")
	}
	if n := strings.Count(logged.String(), "level=ERROR"); n != 1 {
		t.Errorf("complained %d times:\n%s", n, logged.String())
	}
	write(line("carol", "c", "discard"))
	tokens.Look(t.Context())
	if tokens.caller("b") != nil || tokens.caller("c") == nil {
		t.Error("the corrected file is not in force")
	}
}

func TestAgeIsThatOfTheFileInForce(t *testing.T) {
	file := tokensFile(t, line("alice", "a", "read"))
	now := time.Now().Truncate(time.Second)
	written := func(age time.Duration) {
		t.Helper()
		if err := os.Chtimes(file, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	written(400 * 24 * time.Hour)
	tokens, err := NewTokens(file, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if age := tokens.age(now); age != 400*24*time.Hour {
		t.Errorf("the age is %s", age)
	}
	for _, change := range []struct {
		text string
		want time.Duration
	}{{"nonsense", 400 * 24 * time.Hour}, {line("bob", "b", "read"), time.Hour}} {
		if err := os.WriteFile(file, []byte(change.text), 0o600); err != nil {
			t.Fatal(err)
		}
		written(time.Hour)
		tokens.Look(t.Context())
		if age := tokens.age(now); age != change.want {
			t.Errorf("after %q the age is %s, want %s", change.text, age, change.want)
		}
	}
}

// issuer is an OpenID provider with one key.
type issuer struct {
	*testing.T
	key     *ecdsa.PrivateKey
	kid     string
	fetches atomic.Int32
	down    atomic.Bool
	server  *httptest.Server
	now     time.Time
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{T: t, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	i.rotate("one")
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		if i.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		set := map[string]any{"keys": []any{
			map[string]string{"kty": "unheard-of", "kid": "two"},
			jose.JSONWebKey{Key: i.key.Public(), KeyID: i.kid, Use: "sig", Algorithm: "ES256"},
		}}
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) rotate(kid string) {
	i.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.Fatal(err)
	}
	i.key, i.kid = key, kid
}

func (i *issuer) authenticator() Authenticator {
	now := func() time.Time { return i.now }
	keys, err := Keys(i.server.URL, i.server.Client().Transport, now)
	if err != nil {
		i.Fatal(err)
	}
	return Authenticator{OIDC: &OIDC{
		Issuer: "https://id.example.com", Audience: "dlq", Keys: keys, Log: quiet,
		ScopeClaim: "scope", Scopes: map[string]Scope{"dlq:read": Read, "dlq:replay": Replay}, SubjectClaim: "sub", Now: now,
	}}
}

func (i *issuer) claims() map[string]any {
	return map[string]any{"iss": "https://id.example.com", "aud": []string{"x", "dlq"}, "sub": "alice", "exp": i.now.Add(time.Hour).Unix(), "scope": "dlq:read openid dlq:replay"}
}

func (i *issuer) sign(claims map[string]any) string {
	i.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.kid}}, nil)
	if err != nil {
		i.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.Fatal(err)
	}
	return token
}

func TestOIDC(t *testing.T) {
	i := newIssuer(t)
	a := i.authenticator()
	c, err := a.Caller(t.Context(), request(t, "Bearer "+i.sign(i.claims())))
	if err != nil || c.Name != "oidc/alice" || !reflect.DeepEqual(c.Scopes, []Scope{Read, Replay}) {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, change := range map[string]func(map[string]any){
		"another issuer":            func(c map[string]any) { c["iss"] = "https://id.example.com/" },
		"another audience":          func(c map[string]any) { c["aud"] = "x" },
		"does not say when it exp":  func(c map[string]any) { delete(c, "exp") },
		"has expired":               func(c map[string]any) { c["exp"] = i.now.Add(-2 * time.Minute).Unix() },
		"has expired or is not val": func(c map[string]any) { c["nbf"] = i.now.Add(2 * time.Minute).Unix() },
		"does not say in sub":       func(c map[string]any) { c["sub"] = strings.Repeat("x", maxSubject+1) },
	} {
		claims := i.claims()
		change(claims)
		if c, err := a.Caller(t.Context(), request(t, "Bearer "+i.sign(claims))); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	claims := i.claims()
	claims["scope"] = []string{"dlq:replay"}
	if c, err := a.Caller(t.Context(), request(t, "Bearer "+i.sign(claims))); err != nil || !reflect.DeepEqual(c.Scopes, []Scope{Replay}) {
		t.Errorf("a list of scopes gives %+v, %v", c, err)
	}
	delete(claims, "scope")
	if c, err := a.Caller(t.Context(), request(t, "Bearer "+i.sign(claims))); err != nil || len(c.Scopes) != 0 {
		t.Errorf("no scope gives %+v, %v", c, err)
	}
	token := i.sign(i.claims())
	i.rotate("one") // another key of the same name
	for _, forged := range []string{i.sign(i.claims()), token[:len(token)-6] + "AAAAAA", unsigned(i.claims()), "a.b.c", strings.Repeat("x", 9<<10)} {
		if c, err := a.Caller(t.Context(), request(t, "Bearer "+forged)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60s gives %+v, %v", forged, c, err)
		}
	}
}

// unsigned is the token with the algorithm none (RFC 7519, section 6).
func unsigned(claims map[string]any) string {
	text, _ := json.Marshal(claims) // it is text and numbers
	return "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0." + base64.RawURLEncoding.EncodeToString(text) + "."
}

func TestKeysAreFetchedNowAndThen(t *testing.T) {
	i := newIssuer(t)
	a := i.authenticator()
	call := func(want error) {
		t.Helper()
		if _, err := a.Caller(t.Context(), request(t, "Bearer "+i.sign(i.claims()))); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	fetched := func(want int32) {
		t.Helper()
		if n := i.fetches.Load(); n != want {
			t.Errorf("fetched %d times, want %d", n, want)
		}
	}
	i.down.Store(true)
	call(ErrUnavailable)
	call(ErrUnavailable)
	fetched(1)
	i.down.Store(false)
	i.now = i.now.Add(30 * time.Second)
	call(nil)
	call(nil)
	fetched(2)
	i.rotate("new")
	call(ErrInvalid) // too soon
	fetched(2)
	i.now = i.now.Add(10 * time.Second)
	call(nil)
	fetched(3)
	i.down.Store(true)
	i.now = i.now.Add(10 * time.Minute)
	call(nil) // the keys before stay
	fetched(4)
}
