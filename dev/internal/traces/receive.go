// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// maxExport is the size of an export in bytes, compressed or not.
const maxExport = 8 << 20

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// receive is POST /v1/traces of OTLP/HTTP 1.x
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
func (s *Store) receive(w http.ResponseWriter, r *http.Request) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if contentType != protobufType && contentType != jsonType {
		http.Error(w, "Content-Type must be "+protobufType+" or "+jsonType, http.StatusUnsupportedMediaType)
		return
	}
	body, err := readExport(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	data, err := parseExport(contentType, body)
	if err != nil {
		refuse(w, err)
		return
	}
	s.Add(decode(data))
	w.Header().Set("Content-Type", contentType)
	if contentType == jsonType {
		_, _ = io.WriteString(w, "{}") // an empty message of protobuf is no bytes
	}
}

func refuse(w http.ResponseWriter, err error) {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

func readExport(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(w, r.Body, maxExport)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		body = http.MaxBytesReader(w, unzipped, maxExport)
	default:
		return nil, fmt.Errorf("Content-Encoding %q is neither gzip nor identity", encoding)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	return content, nil
}

// parseExport reads an ExportTraceServiceRequest, whose only field is that of
// TracesData: this type needs no gRPC.
func parseExport(contentType string, body []byte) (*tracepb.TracesData, error) {
	var data tracepb.TracesData
	var err error
	if contentType == jsonType {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, &data)
	} else {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil {
		return nil, fmt.Errorf("not an OTLP trace export: %w", err)
	}
	return &data, nil
}
