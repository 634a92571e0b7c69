// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/registry"
)

// TestClientShowsWhoAsks asks a registry that has TLS and lets in only who is known.
func TestClientShowsWhoAsks(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user+":"+password != "sink:hunter2" && r.Header.Get("Authorization") != "Bearer hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(`["events.payment.v1-value"]`))
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg   registry.Config
		works bool
	}{
		"basic":          {registry.Config{User: "sink", Password: "hunter2", CAFile: ca}, true},
		"bearer":         {registry.Config{Token: "hunter2", CAFile: ca}, true},
		"nobody":         {registry.Config{CAFile: ca}, false},
		"wrong password": {registry.Config{User: "sink", Password: "hunter3", CAFile: ca}, false},
		"unknown CA":     {registry.Config{Token: "hunter2"}, false},
	} {
		c.cfg.URL = server.URL
		if err := c.cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		client, err := c.cfg.Client()
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Subjects(t.Context())
		if (err == nil) != c.works {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error has the secret: %v", name, err)
		}
	}
}

func TestConfigNamesTheVariable(t *testing.T) {
	for variable, c := range map[string]registry.Config{
		"HOOKSTREAM_REGISTRY_URL":      {URL: "http://user:hunter2@registry:8081"},
		"HOOKSTREAM_REGISTRY_PASSWORD": {User: "sink"},
		"HOOKSTREAM_REGISTRY_TOKEN":    {User: "sink", Password: "hunter2", Token: "hunter2"},
		"HOOKSTREAM_REGISTRY_CA_FILE":  {CAFile: "nowhere.pem"},
	} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), variable) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want an error that names %s and no secret", err, variable)
		}
	}
}
