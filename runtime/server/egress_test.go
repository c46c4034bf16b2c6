package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// counted is a service that counts its requests.
func counted(t *testing.T) (server *httptest.Server, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(server.Close)
	return server, requests
}

// TestWorkflowsReachEgressAlone: what the runtime itself reaches, the issuers and the sink
// of events, is not open to the calls of workflows. Events go to the sink alone.
func TestWorkflowsReachEgressAlone(t *testing.T) {
	service, served := counted(t)
	issuer, issued := counted(t)
	sink, posted := counted(t)
	s := &Server{roots: new(egress.Roots)}
	doc := &s.options.Document
	doc.Auth.JWT = []v1alpha1.JWTIssuer{{Issuer: "https://id.example.com", JWKSURI: issuer.URL + "/keys"}}
	doc.Egress.Allow = []string{strings.TrimPrefix(service.URL, "http://")}
	doc.Events.Sink = sink.URL + "/events"
	c := s.newCaller()
	t.Cleanup(c.Close)
	for url, allowed := range map[string]bool{service.URL + "/": true, issuer.URL + "/keys": false, sink.URL + "/events": false} {
		_, err := c.HTTP(t.Context(), &workflow.HTTPRequest{Method: http.MethodGet, URL: url})
		if allowed != (err == nil) {
			t.Errorf("a call of %s: %v", url, err)
		}
	}
	if err := c.Emit(t.Context(), map[string]any{"id": "1"}); err != nil {
		t.Errorf("an event: %v", err)
	}
	if served.Load() != 1 || issued.Load() != 0 || posted.Load() != 1 {
		t.Errorf("%d requests to the service, %d to the issuer, %d to the sink", served.Load(), issued.Load(), posted.Load())
	}
}
