// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/archive"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// topics is a Kafka with one topic of several partitions.
type topics struct {
	client *kgo.Client
	broker *kafkatest.Broker
	raw    string
}

func newTopics(t *testing.T) *topics {
	t.Helper()
	b := kafkatest.New(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addresses...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	raw := b.Prefix + "raw"
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 4, 1, nil, raw); err != nil {
		t.Fatal(err)
	}
	return &topics{client, b, raw}
}

// store writes records and gives back where they are.
func (k *topics) store(t *testing.T, records ...*kgo.Record) []*kgo.Record {
	t.Helper()
	for _, r := range records {
		r.Topic = k.raw
	}
	if err := k.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return records
}

// verify checks one record with the secrets.
func (k *topics) verify(t *testing.T, r *kgo.Record, secrets string, more ...string) (result, finding) {
	t.Helper()
	args := append([]string{
		"verify-record", "--brokers", strings.Join(k.broker.Addresses, ","), "--topic", r.Topic, "--secrets", secrets,
		fmt.Sprint("--partition=", r.Partition), fmt.Sprint("--offset=", r.Offset), "-o", "json",
	}, more...)
	res := ingest(t, args...)
	var f finding
	if err := json.Unmarshal([]byte(res.out), &f); err != nil {
		t.Fatalf("%v: %+v", err, res)
	}
	return res, f
}

// signed sends what sign prints through an edge, and gives back its records.
func signed(t *testing.T, name, key, body string, args ...string) []*kgo.Record {
	t.Helper()
	file := filepath.Join(write(t, map[string]string{"body": body}), "body")
	res := ingest(t, append([]string{"sign", "--provider", name, "--secret", key, "--body", file, "--at", noon.Format("2006-01-02T15:04:05Z07:00")}, args...)...)
	res.want(t, 0)
	h, stored := edgeWith(t, name, key, noon)
	var rec *httptest.ResponseRecorder
	if rec = send(t, h, res.out); rec.Code > 299 || len(*stored) == 0 {
		t.Fatalf("answered %d: %s", rec.Code, rec.Body)
	}
	return *stored
}

func TestVerifyRecord(t *testing.T) {
	k := newTopics(t)
	one := k.store(t, signed(t, "stripe", "whsec_x", `{"id":"evt_1","type":"a","data":{"object":{"id":"o"}}}`)...)[0]

	res, f := k.verify(t, one, "default/stripe=whsec_other;default/stripe=whsec_x")
	if res.code != 0 || f.Outcome != "verified" || f.Scheme != "hmac" || f.KeyID == "" || f.KeyID != f.RecordedKeyID || f.EventID != "evt_1" {
		t.Errorf("%d %+v", res.code, f)
	}
	res, f = k.verify(t, one, "default/stripe=whsec_other")
	if res.code != 2 || !strings.Contains(f.Reason, "the key "+f.RecordedKeyID+", which is not configured any more") {
		t.Errorf("without its key: %d %+v", res.code, f)
	}
	res, f = k.verify(t, one, "default/github=x")
	if res.code != 2 || !strings.Contains(f.Reason, "no secret is configured for default/stripe") {
		t.Errorf("without secrets: %d %+v", res.code, f)
	}

	changed := *one
	changed.Value = []byte(strings.Replace(string(one.Value), "evt_1", "evt_2", 1))
	res, f = k.verify(t, k.store(t, &changed)[0], "default/stripe=whsec_x")
	if res.code != 1 || f.Outcome != "not_verified" || !strings.HasPrefix(f.Reason, "signature_mismatch") {
		t.Errorf("changed: %d %+v", res.code, f)
	}

	// A dead letter of it.
	dead := *one
	dead.Headers = append(slices.Clone(one.Headers), kgo.RecordHeader{Key: header.ErrorTopic, Value: []byte(k.raw)})
	if res, f = k.verify(t, k.store(t, &dead)[0], "default/stripe=whsec_x"); res.code != 0 {
		t.Errorf("dead letter: %d %+v", res.code, f)
	}

	text := ingest(t, "verify-record", "--brokers", k.broker.Addresses[0], "--topic", k.raw, "--secrets=default/stripe=whsec_x",
		fmt.Sprint("--partition=", one.Partition), fmt.Sprint("--offset=", one.Offset))
	text.want(t, 0, ": verified: hmac, key ", "stripe evt_1 of tenant default, verified when it came: hmac, key ")
}

func TestVerifyRecordOfABatch(t *testing.T) {
	k := newTopics(t)
	body := `[{"eventId":1,"portalId":62515,"objectId":7,"subscriptionType":"contact.creation","occurredAt":1767355200000} ,
  {"eventId":2,"portalId":62515,"objectId":8,"subscriptionType":"contact.creation","occurredAt":1767355200000},
  {"eventId":3,"portalId":62516,"objectId":9,"subscriptionType":"contact.deletion","occurredAt":1767355200000}]`
	url := "--url=https://hooks.example.com/webhooks/hubspot"
	other := signed(t, "hubspot", "s3cret", body, url) // the same body, another request
	records := signed(t, "hubspot", "s3cret", body, url)
	if len(records) != 3 {
		t.Fatalf("%d records", len(records))
	}
	k.store(t, append(other, records...)...)
	for _, r := range records {
		res, f := k.verify(t, r, "default/hubspot=s3cret")
		if res.code != 0 || f.Batch == nil || f.Batch.Count != 3 || len(f.Batch.Records) != 3 || f.Tenant == "default" {
			t.Errorf("%d %+v", res.code, f)
		}
	}
	lonely := newTopics(t)
	res, f := lonely.verify(t, lonely.store(t, records[1])[0], "default/hubspot=s3cret")
	if res.code != 2 || !strings.Contains(f.Reason, "record 1 of the batch's 3 is missing") {
		t.Errorf("%d %+v", res.code, f)
	}
}

func TestVerifyRecordSaysWhatItCannotTell(t *testing.T) {
	k := newTopics(t)
	token := k.store(t, signed(t, "hablla", "t0ken", `{"id":"1","type":"a","data":{"id":"2"}}`)...)[0]
	res, f := k.verify(t, token, "default/hablla=t0ken")
	if res.code != 2 || !strings.Contains(f.Reason, "sends its secret, which is never stored") {
		t.Errorf("%d %+v", res.code, f)
	}
	foreign := k.store(t, &kgo.Record{Value: []byte("x")})[0]
	if res, f = k.verify(t, foreign, ""); res.code != 2 || !strings.Contains(f.Reason, "it is no record of ingest's") {
		t.Errorf("%d %+v", res.code, f)
	}
	beyond := *foreign
	beyond.Offset = 1000
	if res, f = k.verify(t, &beyond, ""); res.code != 2 || !strings.Contains(f.Reason, "holds the offsets from 0 to below ") {
		t.Errorf("%d %+v", res.code, f)
	}
	beyond.Partition = 9
	if res, f = k.verify(t, &beyond, ""); res.code != 2 || !strings.Contains(f.Reason, "there is no partition 9 of topic ") {
		t.Errorf("%d %+v", res.code, f)
	}
	ingest(t, "verify-record", "--brokers=127.0.0.1:1", "--timeout=1s", "--partition=0", "--offset=0").want(t, 2, "cannot tell")
}

// exported writes records as dlq export does.
func exported(t *testing.T, records ...*kgo.Record) string {
	t.Helper()
	var b bytes.Buffer
	for _, r := range records {
		if err := archive.Of("", r).Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// findings are those of a file's records.
func findings(t *testing.T, text, secrets string) (result, []finding) {
	t.Helper()
	file := filepath.Join(write(t, map[string]string{"records": text}), "records")
	res := ingest(t, "verify-record", "--file", file, "--secrets", secrets, "-o", "json")
	var all []finding
	for dec := json.NewDecoder(strings.NewReader(res.out)); dec.More(); {
		var f finding
		if err := dec.Decode(&f); err != nil {
			t.Fatalf("%v: %+v", err, res)
		}
		all = append(all, f)
	}
	return res, all
}

func TestVerifyRecordsOfAFile(t *testing.T) {
	one := signed(t, "stripe", "whsec_x", `{"id":"evt_1","type":"a","data":{"object":{"id":"o"}}}`)[0]
	one.Topic, one.Offset = "hookstream.dlq", 7
	one.Headers = append(one.Headers, kgo.RecordHeader{Key: header.ErrorTopic, Value: []byte("hookstream.raw")})
	changed := *one
	changed.Value = []byte(strings.Replace(string(one.Value), "evt_1", "evt_2", 1))
	const secrets = "default/stripe=whsec_x;default/hubspot=s3cret"

	res, all := findings(t, exported(t, one), secrets)
	if res.code != 0 || len(all) != 1 || all[0].Outcome != "verified" || all[0].Record != "hookstream.dlq/0/7" {
		t.Errorf("%d %+v", res.code, all)
	}
	foreign := &kgo.Record{Topic: "t", Value: []byte("x")}
	for want, records := range map[int][]*kgo.Record{2: {one, foreign}, 1: {one, foreign, &changed}} {
		res, all = findings(t, exported(t, records...), secrets)
		if res.code != want || len(all) != len(records) || all[0].Outcome != "verified" || all[1].Outcome != "cannot_tell" {
			t.Errorf("want exit code %d: %d %+v", want, res.code, all)
		}
	}

	batch := signed(t, "hubspot", "s3cret", `[{"eventId":1,"portalId":62515,"objectId":7,"subscriptionType":"contact.creation","occurredAt":1767355200000},
  {"eventId":2,"portalId":62515,"objectId":8,"subscriptionType":"contact.creation","occurredAt":1767355200000}]`, "--url=https://hooks.example.com/webhooks/hubspot")
	if res, all = findings(t, exported(t, batch...), secrets); res.code != 0 || len(all) != 2 || len(all[1].Batch.Records) != 2 {
		t.Errorf("a whole batch: %d %+v", res.code, all)
	}
	if res, all = findings(t, exported(t, batch[1]), secrets); res.code != 2 || !strings.Contains(all[0].Reason, "record 1 of the batch's 2 is missing") {
		t.Errorf("half a batch: %d %+v", res.code, all)
	}

	for text, want := range map[string]string{"": "it holds no record", exported(t, one) + "{}": "line 2: version 0"} {
		if res, all = findings(t, text, secrets); res.code != 2 || !strings.Contains(all[0].Reason, want) {
			t.Errorf("%q: %d %+v, want %s", text, res.code, all, want)
		}
	}
	for _, args := range [][]string{{}, {"--partition=1"}, {"--offset=1"}, {"--file=x", "--offset=1"}} {
		if res := ingest(t, append([]string{"verify-record"}, args...)...); res.code != 2 {
			t.Errorf("%v: %+v", args, res)
		}
	}
}
