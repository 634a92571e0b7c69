// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, written, written); err != nil {
		t.Fatal(err)
	}
}

// written is when the tests' files were.
var written = time.Unix(1_700_000_000, 0)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "default", "stripe"), "# rolled on Monday\nnew\r\n\n  old  \n")
	write(t, filepath.Join(dir, "acme", "github"), "a=b;c")
	write(t, filepath.Join(dir, "acme", "meta.verify-token"), "asked\n")
	write(t, filepath.Join(dir, "acme", "notion.pending"), "not in force\n")
	// Kubernetes keeps the files of a mounted Secret in hidden folders.
	write(t, filepath.Join(dir, ".data", "github"), "hidden")
	write(t, filepath.Join(dir, "acme", ".data", "github"), "hidden")

	got, err := Load(dir, " default/stripe = from=env ; ;default/svix=whsec_x;default/meta.verify-token=t")
	if err != nil {
		t.Fatal(err)
	}
	stripe := Pair{"default", "stripe"}
	want := []Entry{
		{Pair: Pair{"acme", "github"}, Secret: "a=b;c", Origin: filepath.Join(dir, "acme", "github") + ":1", Changed: written},
		{Pair: Pair{"acme", "meta"}, Secret: "asked", VerifyToken: true, Origin: filepath.Join(dir, "acme", "meta.verify-token") + ":1", Changed: written},
		{Pair: stripe, Secret: "new", Origin: filepath.Join(dir, "default", "stripe") + ":2", Changed: written},
		{Pair: stripe, Secret: "old", Origin: filepath.Join(dir, "default", "stripe") + ":4", Changed: written},
		{Pair: stripe, Secret: "from=env", Origin: "HOOKSTREAM_SECRETS: entry 1"},
		{Pair: Pair{"default", "svix"}, Secret: "whsec_x", Origin: "HOOKSTREAM_SECRETS: entry 3"},
		{Pair: Pair{"default", "meta"}, Secret: "t", VerifyToken: true, Origin: "HOOKSTREAM_SECRETS: entry 4"},
	}
	if !reflect.DeepEqual(got, want) {
		for _, e := range got {
			t.Logf("%s %s %q", e.Pair, e.Origin, e.Secret.Reveal())
		}
		t.Error("got the entries above")
	}
}

func TestLoadFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..2026", "stripe"), "linked")
	if err := os.Mkdir(filepath.Join(dir, "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "..2026", "stripe"), filepath.Join(dir, "default", "stripe")); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir, "")
	if err != nil || len(got) != 1 || got[0].Secret.Reveal() != "linked" {
		t.Errorf("got %d entries, error %v", len(got), err)
	}
}

func TestLoadProblemsNameThePlaceAndNotTheSecret(t *testing.T) {
	const value = "hunter2"
	cases := map[string]struct {
		file, text string
		variable   Secret
		want       string
	}{
		"no equals sign":   {variable: value, want: "HOOKSTREAM_SECRETS: entry 1 is not tenant/provider=secret"},
		"no tenant":        {variable: "a/b=x;stripe=" + value, want: "HOOKSTREAM_SECRETS: entry 2 is not tenant/provider=secret"},
		"bad name":         {variable: "A/stripe=" + value, want: "HOOKSTREAM_SECRETS: entry 1 is not"},
		"no secret":        {variable: "default/stripe=", want: "HOOKSTREAM_SECRETS: entry 1 has no secret"},
		"empty file":       {file: "default/stripe", text: "# " + value + "\n", want: "default/stripe holds no secret"},
		"no tenant folder": {file: "stripe", text: value, want: "a folder a tenant"},
		"bad tenant":       {file: "Acme/stripe", text: value, want: "Acme is not named like a tenant"},
		"bad provider":     {file: "default/stripe.txt", text: value, want: "stripe.txt is not named like a provider"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				write(t, filepath.Join(dir, c.file), c.text)
			}
			_, err := Load(dir, c.variable)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), value) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing"), ""); err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_SECRETS_DIR") {
		t.Errorf("a missing folder gave %v", err)
	}
}
