package server

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"time"
)

// status is what /status tells: nothing that a caller could use.
type status struct {
	Name          string `json:"name"`
	Namespace     string `json:"namespace,omitempty"`
	Document      string `json:"document"`
	Version       string `json:"version"`
	Environment   string `json:"environment"`
	State         string `json:"state"`
	UptimeSeconds int64  `json:"uptimeSeconds"`
	APIKeys       int64  `json:"apiKeys"`
	// Issuers of tokens and how their keys are; Redis is there when the app has one. Neither
	// they nor the documents are part of readiness.
	Issuers []issuerStatus `json:"issuers,omitempty"`
	Redis   *redisStatus   `json:"redis,omitempty"`
	// Documents are the OpenAPI documents that workflows call by and that are fetched.
	Documents []documentStatus `json:"documents,omitempty"`
	// UID and GID that the process runs as, for who checks the hardening from outside.
	UID       int              `json:"uid"`
	GID       int              `json:"gid"`
	Workflows []workflowStatus `json:"workflows"`
}

type workflowStatus struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Hash    string `json:"hash"`
}

type documentStatus struct {
	Document string `json:"document"`
	Loaded   bool   `json:"loaded"`
	Problem  string `json:"problem,omitempty"`
}

type issuerStatus struct {
	Issuer      string    `json:"issuer"`
	Source      string    `json:"source"`
	Keys        int       `json:"keys"`
	LastSuccess time.Time `json:"lastSuccess,omitzero"`
	Stale       bool      `json:"stale,omitempty"`
	Problem     string    `json:"problem,omitempty"`
}

type redisStatus struct {
	Up      bool      `json:"up"`
	Since   time.Time `json:"since,omitzero"`
	Form    string    `json:"form"`
	Problem string    `json:"problem"`
	// Taken is when the settings in use took over: after a rotation, the former password
	// can go once every pod has a later one.
	Taken time.Time `json:"taken,omitzero"`
	// Stale says why the Secret's present content is not in use and a former one is.
	Stale string `json:"stale,omitempty"`
}

// adminHandler serves the admin port: for the kubelet, for Prometheus, and for people
// with access to the pod.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, "alive") })
	mux.HandleFunc("GET /startupz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, s.state.Load() != starting, "started")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, s.Ready(), "ready, enforcing "+s.options.Hash)
	})
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /status", s.serveStatus)
	return mux
}

func answer(w http.ResponseWriter, good bool, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not " + strings.SplitN(text, ",", 2)[0]
	}
	_, _ = w.Write([]byte(text + "\n"))
}

func (s *Server) serveStatus(w http.ResponseWriter, _ *http.Request) {
	doc := s.options.Document
	out := status{
		Name: doc.Name, Namespace: doc.Namespace, Document: s.options.Hash, Version: s.options.Version,
		Environment: strings.ToLower(string(doc.Environment)), State: []string{"starting", "serving", "draining"}[s.state.Load()],
		UptimeSeconds: int64(time.Since(s.started).Seconds()), APIKeys: s.keyCount.Load(),
		UID: os.Getuid(), GID: os.Getgid(),
	}
	for _, wf := range s.engine.Workflows() {
		out.Workflows = append(out.Workflows, workflowStatus{wf.Name, wf.Program.Version(), wf.Program.Hash()})
	}
	out.Issuers, out.Redis = s.issuers(), s.redisStatus()
	for _, d := range s.caller.Documents() {
		out.Documents = append(out.Documents, documentStatus{d.Name, d.Loaded, d.Problem})
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(out) // the reader may have gone away
}

func (s *Server) issuers() []issuerStatus {
	if s.tokens == nil {
		return nil
	}
	var out []issuerStatus
	for _, h := range s.tokens.Health() {
		out = append(out, issuerStatus{h.Issuer, h.Source, h.Keys, h.LastSuccess, h.Stale, h.Problem})
	}
	return out
}

func (s *Server) redisStatus() *redisStatus {
	if s.redis == nil {
		return nil
	}
	h := s.redis.Health()
	return &redisStatus{Up: h.Up, Since: h.Since, Form: h.Form, Problem: h.Problem, Taken: h.Taken, Stale: h.Stale}
}
