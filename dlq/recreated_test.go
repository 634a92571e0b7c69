// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestServeNoticesThatATopicIsMadeAnew: what it follows is gone, so it begins again, and
// says so in the meantime.
func TestServeNoticesThatATopicIsMadeAnew(t *testing.T) {
	w := newAPI(t)
	if !w.broker.Embedded() {
		t.Skip("a shared broker deletes topics at its leisure")
	}
	ids := w.many(3)
	w.dlq("discard", ids[0], "--why", "x", "--yes").want(t, exitOK)
	w.readyWhen("at first", func(code int, _ string) bool { return code == 200 })
	admin := kadm.NewClient(w.world.client)
	if _, err := admin.DeleteTopic(t.Context(), w.cfg.Topics.Resolutions); err != nil {
		t.Fatal(err)
	}
	w.readyWhen("without the topic", func(code int, body string) bool {
		return code == 503 && strings.Contains(body, w.cfg.Topics.Resolutions)
	})
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, w.cfg.Topics.Resolutions); err != nil {
		t.Fatal(err)
	}
	w.readyWhen("again", func(code int, _ string) bool { return code == 200 })
	w.dlq("discard", ids[1], "--why", "x", "--yes").want(t, exitOK)
	w.dlq("list").want(t, exitOK, ids[0], ids[2])
}
