// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

func TestSASL(t *testing.T) {
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			kafka := kafkatest.Fake(t, "it asks for no password", kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "user", "right"))
			c := &Config{Brokers: kafka.ListenAddrs(), MaxMessageBytes: 1 << 20, SASLMechanism: mechanism, SASLUser: "user", SASLPassword: "right"}
			if err := Ping(t.Context(), client(t, c), quiets); err != nil {
				t.Fatal(err)
			}
			// The fake hangs up on a wrong password; Kafka answers.
			kafka.ControlKey(kmsg.SASLAuthenticate.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
				kafka.KeepControl()
				res := kmsg.NewPtrSASLAuthenticateResponse()
				res.Version = r.GetVersion()
				res.ErrorCode = kerr.SaslAuthenticationFailed.Code
				return res, nil, true
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := Ping(ctx, client(t, c), quiets); failure.Of(err) != failure.Fatal {
				t.Errorf("refused credentials give %v", err)
			}
		})
	}
}

func TestTLSWithItsOwnCA(t *testing.T) {
	cert, ca := certificate(t)
	fake := kafkatest.Fake(t, "it speaks no TLS", kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	c := installation(&kafkatest.Broker{Addresses: fake.ListenAddrs()})
	c.TLS, c.CAFile = true, ca
	if err := Ping(t.Context(), client(t, c), quiets); err != nil {
		t.Fatal(err)
	}
	c.CAFile = ""
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := Ping(ctx, client(t, c), quiets); err == nil {
		t.Error("a certificate that nobody vouches for was accepted")
	}
}

// certificate is a server's for 127.0.0.1, and the file of its CA.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestPartitionIsJavas holds the partitioner to the hashes in Apache Kafka's own
// UtilsTest.testMurmur2.
func TestPartitionIsJavas(t *testing.T) {
	const n = 1000
	p := partitioner(&topic.Names{Dedup: "dedup", Held: "held"}, 0).ForTopic("raw")
	for key, murmur2 := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got, want := p.Partition(&kgo.Record{Key: []byte(key)}, n), int(murmur2&0x7fffffff)%n; got != want {
			t.Errorf("%q goes to partition %d, Java's producer sends it to %d", key, got, want)
		}
	}
	for _, name := range []string{"dedup", "held"} {
		if got := partitioner(&topic.Names{Dedup: "dedup", Held: "held"}, 6).ForTopic(name).Partition(&kgo.Record{Key: []byte("21"), Partition: 7}, n); got != 7 {
			t.Errorf("what %s has of partition 7 goes to partition %d", name, got)
		}
	}
}

// TestAddedPartitionsTakeNoKeys: a key stays where it was when someone adds
// partitions to a topic in use.
func TestAddedPartitionsTakeNoKeys(t *testing.T) {
	p := partitioner(&topic.Names{Dedup: "dedup", Held: "held"}, 6).ForTopic("raw")
	for i := range 1000 {
		r := &kgo.Record{Key: strconv.AppendInt(nil, int64(i), 10)}
		if before, after := p.Partition(r, 6), p.Partition(r, 50); before != after {
			t.Fatalf("key %d moved from partition %d to %d", i, before, after)
		}
	}
}

// TestTraceContextIsReplaced: a record that was read and is written again must
// carry one traceparent, that of the newest span, recorded or not.
func TestTraceContextIsReplaced(t *testing.T) {
	for name, sampler := range map[string]sdktrace.Sampler{"recorded": sdktrace.AlwaysSample(), "not recorded": sdktrace.NeverSample()} {
		t.Run(name, func(t *testing.T) { traceContextIsReplaced(t, sampler) })
	}
}

func traceContextIsReplaced(t *testing.T, sampler sdktrace.Sampler) {
	oldProvider, oldPropagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTracerProvider(oldProvider); otel.SetTextMapPropagator(oldPropagator) })
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)))
	otel.SetTextMapPropagator(propagation.TraceContext{})

	c := config(t)
	create(t, c, c.Topics.Raw, 1)
	ctx, span := otel.Tracer("test").Start(t.Context(), "request")
	defer span.End()
	r := &kgo.Record{Topic: c.Topics.Raw, Context: ctx, Headers: []kgo.RecordHeader{
		{Key: header.TraceParent, Value: []byte("00-00000000000000000000000000000001-0000000000000001-01")},
	}}
	if err := client(t, c).ProduceSync(ctx, r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	err := c.ReadToEnd(t.Context(), "test", quiets, Partitions{c.Topics.Raw: nil}, func(r *kgo.Record) error {
		var found []string
		for _, h := range r.Headers {
			if h.Key == header.TraceParent {
				found = append(found, string(h.Value))
			}
		}
		if len(found) != 1 || !strings.Contains(found[0], span.SpanContext().TraceID().String()) {
			t.Errorf("traceparent %v, want one of trace %s", found, span.SpanContext().TraceID())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFetchErrors(t *testing.T) {
	for _, passing := range []error{context.Canceled, context.DeadlineExceeded, kgo.ErrClientClosed} {
		if err := FetchError(kgo.FetchError{Err: passing}); err != nil {
			t.Errorf("%v became %v", passing, err)
		}
	}
	for want, err := range map[string]error{
		"raw/3: the stored offset is outside the log":                                    kerr.OffsetOutOfRange,
		"raw/3: the broker lost records: consumed up to offset 9, the log now ends at 5": &kgo.ErrDataLoss{Topic: "raw", Partition: 3, ConsumedTo: 9, ResetTo: 5},
	} {
		if got := FetchError(kgo.FetchError{Topic: "raw", Partition: 3, Err: err}); failure.Of(got) != failure.Fatal || !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want a Fatal error with %q", got, want)
		}
	}
	lost := &kgo.ErrGroupSession{Err: context.DeadlineExceeded}
	if err := FetchError(kgo.FetchError{Err: lost}); !errors.Is(err, lost) || failure.Of(err) != failure.Transient {
		t.Errorf("the group's loss gives %v", err)
	}
	if err := FetchError(kgo.FetchError{Topic: "raw", Err: kerr.NotLeaderForPartition}); err == nil || failure.Of(err) != failure.Transient {
		t.Errorf("got %v", err)
	}
}

// TestAGapIsAnErrorNotASkip: the group's offset points at records that were
// deleted before they were read.
func TestAGapIsAnErrorNotASkip(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 1)
	cl := client(t, c, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topics.Raw: {0: kgo.NewOffset().At(100)}}))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: c.Topics.Raw}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		fetches := cl.PollFetches(ctx)
		if fetches.NumRecords() > 0 || ctx.Err() != nil {
			t.Fatalf("%d records, %v", fetches.NumRecords(), ctx.Err())
		}
		for _, e := range fetches.Errors() {
			if failure.Of(FetchError(e)) != failure.Fatal {
				t.Errorf("got %v", e.Err)
			}
			return
		}
	}
}

func TestSessionsStartOverUntilToldToStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs, reasons := 0, []string{}
	err := Sessions(ctx, quiets, func(ready bool, reason string) {
		if !ready {
			reasons = append(reasons, reason)
		}
	}, func(context.Context) error {
		switch runs++; runs {
		case 1:
			return errors.New("broker went away")
		case 2:
			return nil
		}
		cancel()
		return ctx.Err()
	})
	if err != nil || runs != 3 || fmt.Sprint(reasons) != "[broker went away]" {
		t.Errorf("%d sessions, %v, %v", runs, reasons, err)
	}
	fatal := failure.NewFatal("fenced")
	if err := Sessions(t.Context(), quiets, func(bool, string) {}, func(context.Context) error { return fatal }); !errors.Is(err, fatal) {
		t.Errorf("got %v", err)
	}
}

func TestTheClientsOwnLogIsKeptToWarnings(t *testing.T) {
	var out strings.Builder
	log := quiet(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("a", 1).WithGroup("g")
	log.Info("transaction ended")
	log.Warn("broker away")
	if strings.Contains(out.String(), "transaction ended") || !strings.Contains(out.String(), "broker away") {
		t.Errorf("logs %s", out.String())
	}
}
