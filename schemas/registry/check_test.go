// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
)

func TestCheck(t *testing.T) {
	payment, _ := event.Lookup("payment")
	older := strings.Replace(payment.Schema(), `"doc":"`, `"doc":"Once: `, 1)
	const foreign = `{"type":"record","name":"Payment","namespace":"hookstream.events.v1","fields":[{"name":"id","type":"long"}]}`
	for name, c := range map[string]struct {
		registered []string
		want       State
		conflicts  int
	}{
		"nothing registered":          {nil, Absent, 0},
		"the same":                    {[]string{payment.Schema()}, Registered, 0},
		"an older one":                {[]string{older}, Compatible, 0},
		"one before is incompatible":  {[]string{foreign, payment.Schema()}, Incompatible, 1},
		"the same after an older one": {[]string{older, payment.Schema()}, Registered, 0},
	} {
		t.Run(name, func(t *testing.T) {
			reg := srfake.New()
			defer reg.Close()
			cl := client(t, reg.URL())
			for _, text := range c.registered {
				if _, err := cl.CreateSchema(t.Context(), Subject("events.payment.v1"), sr.Schema{Schema: text, Type: sr.TypeAvro}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Check(t.Context(), cl, "events.payment.v1", payment)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != c.want || len(got.Conflicts) != c.conflicts || got.Versions != len(c.registered) {
				t.Errorf("got %+v, want %s with %d conflicts in %d versions", got, c.want, c.conflicts, len(c.registered))
			}
			after, err := cl.Schemas(t.Context(), Subject("events.payment.v1"))
			if len(after) != len(c.registered) {
				t.Errorf("Check changed the subject: %d versions, %v", len(after), err)
			}
		})
	}
}
