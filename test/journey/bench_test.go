package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/server"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// discard is a ResponseWriter that costs nothing, so that only handlers are measured.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// benchBody is a request of 1 KiB such as shops send.
func benchBody() string {
	var items []string
	for i := range 9 {
		items = append(items, fmt.Sprintf(`{"sku":"SKU-%04d-RED","quantity":%d,"unitPrice":%d.95,"note":"Gift wrap, please. Ring twice."}`, i, i+1, 10+i))
	}
	return `{"inputs":{"customer":{"id":"c-20931","name":"Ada Lovelace","tier":"gold"},"items":[` + strings.Join(items, ",") + `]}}`
}

const benchWorkflows = `
  - name: bench
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: bench, version: 1.0.0}
      do: [{reply: {set: {customer: "${ .customer }", items: "${ .items }"}}}]
  - name: spent
    rateLimit: {requestsPerMinute: 1}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: spent, version: 1.0.0}
      do: [{reply: {set: {ok: true}}}]
`

// BenchmarkHandler compares the policy path with a handler that does the same work
// with encoding/json and enforces nothing. What net/http itself costs is in neither;
// 'make bench' measures whole servers.
func BenchmarkHandler(b *testing.B) {
	keys := newKeyring(b)
	key := keys.mint("bench")
	keys.publish()
	signer := tokens.NewRSA("known")
	keys.write("login", "set.json", string(tokens.Set(signer)))
	claims := tokens.Claims("https://id.example.com", "shop", "ada", time.Now())
	token, unknown := signer.Sign(claims), signer.Named("unknown").Sign(claims)
	text := strings.Replace(manifest("  rateLimit: {requestsPerMinute: 1000000, authFailuresPerMinute: 1000000}", benchWorkflows),
		"secretRef: {name: keys}}", "secretRef: {name: keys}}, jwt: [{issuer: 'https://id.example.com', audiences: [shop], publicKeySecretRef: {name: login, key: set.json}}]", 1)
	doc, hash := render(b, text)
	s, err := server.New(b.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: keys.root, Output: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, path, credential string
		handler                http.Handler
		want                   int
	}{
		{"SameWork", "/", key, http.HandlerFunc(sameWork), http.StatusOK},
		{"Policies", "/workflows/bench/execute", key, s.Handler(), http.StatusOK},
		{"Token", "/workflows/bench/execute", token, s.Handler(), http.StatusOK},
		{"RefuseUnknownKey", "/workflows/bench/execute", unknown, s.Handler(), http.StatusUnauthorized},
		{"RefuseForged", "/workflows/bench/execute", token[:len(token)-8] + "AAAAAAAA", s.Handler(), http.StatusUnauthorized},
		{"Refuse401", "/workflows/bench/execute", "", s.Handler(), http.StatusUnauthorized},
		{"Refuse429", "/workflows/spent/execute", key, s.Handler(), http.StatusTooManyRequests},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := benchBody()
			reader := bytes.NewReader(nil)
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://shop"+c.path, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Body, r.ContentLength, r.RemoteAddr = io.NopCloser(reader), int64(len(body)), "192.0.2.1:4711"
			r.Header.Set("Content-Type", "application/json")
			if c.credential != "" {
				r.Header.Set("Authorization", "Bearer "+c.credential)
			}
			raw, w := []byte(body), &discard{header: http.Header{}}
			c.handler.ServeHTTP(w, r) // spends the bucket of one
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(raw)
				clear(w.header)
				w.status = http.StatusOK
				c.handler.ServeHTTP(w, r)
				// A long run spends even the largest allowance of refused credentials.
				if w.status != c.want && w.status != http.StatusTooManyRequests {
					b.Fatalf("status %d, want %d", w.status, c.want)
				}
			}
		})
	}
}

func sameWork(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	inputs, _ := body["inputs"].(map[string]any)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		Outputs       any     `json:"outputs"`
		ExecutionTime float64 `json:"execution_time"`
		WorkflowID    string  `json:"workflow_id"`
		Version       string  `json:"version"`
		RunID         string  `json:"run_id"`
		Status        string  `json:"status"`
	}{map[string]any{"customer": inputs["customer"], "items": inputs["items"]}, 0.0001, "bench", "1.0.0", "0123456789abcdef0123456789abcdef", "completed"})
}
