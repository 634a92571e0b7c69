// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func listen(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tracer is OpenTelemetry's SDK, which exports to the server at each span's end.
func tracer(t *testing.T, s *Server, compression otlptracehttp.Compression) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(s.Endpoint()), otlptracehttp.WithCompression(compression))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "billing"))))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider
}

func TestReceivesWhatTheSDKSends(t *testing.T) {
	for _, compression := range []otlptracehttp.Compression{otlptracehttp.NoCompression, otlptracehttp.GzipCompression} {
		s := listen(t)
		provider := tracer(t, s, compression)
		_, other := provider.Tracer("x").Start(t.Context(), "another trace")
		other.End()
		ctx, root := provider.Tracer(module+"ingest/internal/edge").Start(t.Context(), "POST", trace.WithSpanKind(trace.SpanKindServer))
		_, child := provider.Tracer("their/library").Start(ctx, "work", trace.WithLinks(trace.Link{SpanContext: other.SpanContext()}))
		child.SetAttributes(attribute.Int("n", 7), attribute.Bool("b", true), attribute.Float64("f", 1.5), attribute.StringSlice("l", []string{"x", "y"}))
		child.RecordError(errors.New("no luck"))
		child.SetStatus(codes.Error, "failed")
		child.End()
		root.End()

		got := s.Trace(root.SpanContext().TraceID().String())
		if got == nil || len(got.Spans) != 2 {
			t.Fatalf("got %+v", got)
		}
		a, b := got.Spans[0], got.Spans[1]
		if a.SpanID != root.SpanContext().SpanID().String() || a.ParentID != "" || a.Service != "ingest" || a.Kind != "server" || a.Err {
			t.Errorf("root %+v", a)
		}
		if b.ParentID != a.SpanID || b.Service != "billing" || b.Kind != "internal" || !b.Err || b.Message != "failed" {
			t.Errorf("child %+v", b)
		}
		if want := []Attribute{{"n", "7"}, {"b", "true"}, {"f", "1.5"}, {"l", "x, y"}}; !slices.Equal(b.Attributes, want) {
			t.Errorf("attributes %v, want %v", b.Attributes, want)
		}
		if len(b.Events) != 1 || b.Events[0].Name != "exception" {
			t.Errorf("events %v", b.Events)
		}
		if len(b.Links) != 1 || b.Links[0].TraceID != other.SpanContext().TraceID().String() || b.Links[0].SpanID != other.SpanContext().SpanID().String() {
			t.Errorf("links %v", b.Links)
		}
	}
}

// In OTLP's JSON, ids are hex and enumerations are numbers.
const otlpJSON = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"curl"}}]},"scopeSpans":[{"spans":[
	{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"by hand",
	 "startTimeUnixNano":"1800000000000000000","endTimeUnixNano":1800000000005000000,"kind":3,"status":{"code":2},"unknown":1,
	 "attributes":[{"key":"n","value":{"intValue":"12"}},{"key":"kv","value":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}}]}}}]}
]}]}]}`

func TestReceivesJSON(t *testing.T) {
	s := listen(t)
	if code, body := post(t, s, "application/json; charset=utf-8", "", []byte(otlpJSON)); code != http.StatusOK || body != "{}" {
		t.Fatalf("%d %s", code, body)
	}
	got := s.Trace("5b8efff798038103d269b633813fc60c")
	if got == nil {
		t.Fatalf("kept %v", ids(s.Traces()))
	}
	span := got.Spans[0]
	if span.SpanID != "eee19b7ec3c1b174" || span.ParentID != "eee19b7ec3c1b173" || span.Kind != "client" || !span.Err ||
		span.Duration() != 5*time.Millisecond || span.Service != "curl" || span.Attribute("n") != "12" || span.Attribute("kv") != "a=b" {
		t.Errorf("got %+v", span)
	}
}

func TestRefusesWhatIsNoExport(t *testing.T) {
	s := listen(t)
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, maxExport+1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, contentType, encoding string
		body                        []byte
		want                        int
	}{
		{"another type", "text/plain", "", []byte("{}"), http.StatusUnsupportedMediaType},
		{"no type", "", "", nil, http.StatusUnsupportedMediaType},
		{"broken JSON", jsonType, "", []byte(`{"resourceSpans":`), http.StatusBadRequest},
		{"broken protobuf", protobufType, "", []byte("\x0a\xff"), http.StatusBadRequest},
		{"not gzip", protobufType, "gzip", []byte("x"), http.StatusBadRequest},
		{"another encoding", protobufType, "br", nil, http.StatusBadRequest},
		{"too large", protobufType, "", make([]byte, maxExport+1), http.StatusRequestEntityTooLarge},
		{"too large once unpacked", protobufType, "gzip", bomb.Bytes(), http.StatusRequestEntityTooLarge},
	} {
		if code, body := post(t, s, c.contentType, c.encoding, c.body); code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, code, body, c.want)
		}
	}
	const noIDs = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"},{"traceId":"zz","spanId":"00"},{"traceId":"00000000000000000000000000000000","spanId":"eee19b7ec3c1b174"}]}]}]}`
	_, _ = post(t, s, jsonType, "", []byte(noIDs))
	if got := s.Traces(); len(got) != 0 {
		t.Errorf("kept %v", ids(got))
	}
}

func post(t *testing.T, s *Server, contentType, encoding string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Content-Encoding", encoding)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestListensOnThisMachineOnly(t *testing.T) {
	if s, err := Listen(t.Context(), "0.0.0.0:0"); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("listens on %v, error %v", s, err)
	}
}

func TestOtherSitesStayOutside(t *testing.T) {
	s := listen(t)
	request := func(method, host, origin string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/v1/traces", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodGet {
			req.URL.Path = "/"
		}
		req.Host = host
		req.Header.Set("Content-Type", jsonType)
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		code, _ := do(t, req)
		return code
	}
	for _, c := range []struct {
		method, host, origin string
		want                 int
	}{
		{http.MethodGet, "localhost:4318", "", http.StatusOK},
		{http.MethodGet, "[::1]:4318", "", http.StatusOK},
		{http.MethodGet, "rebound.example:4318", "", http.StatusForbidden},
		{http.MethodPost, "localhost:4318", "", http.StatusOK},
		{http.MethodPost, "localhost:4318", "https://elsewhere.example", http.StatusForbidden},
	} {
		if got := request(c.method, c.host, c.origin); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
