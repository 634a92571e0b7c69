// SPDX-License-Identifier: Apache-2.0

package setting_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/setting"
)

func TestSecretsNeverPrint(t *testing.T) {
	type config struct{ Password setting.Secret }
	c := config{"hunter2"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%T %v", "%10s", "%08v"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", c, &c, c.Password)
	}
	asJSON, err1 := json.Marshal(c)
	asYAML, err2 := yaml.Marshal(c)
	asXML, err3 := xml.Marshal(c)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	fmt.Fprintf(&out, "%s%s%s", asJSON, asYAML, asXML)
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("started", "config", c, "pointer", &c, "password", c.Password)
	}
	hexadecimal := fmt.Sprintf("%x", "hunter2")
	if s := out.String(); strings.Contains(s, "hunter2") || strings.Contains(strings.ToLower(s), hexadecimal) {
		t.Errorf("the secret is printed:\n%s", s)
	}
	if c.Password.Reveal() != "hunter2" {
		t.Error("Reveal does not give the secret")
	}
}
