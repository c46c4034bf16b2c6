// Command baseline is what the policy path is measured against: net/http handlers
// that do the same work with the standard library and enforce nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// reply has the shape of the runtime's reply to an execution.
type reply struct {
	Outputs       any     `json:"outputs"`
	ExecutionTime float64 `json:"execution_time"`
	WorkflowID    string  `json:"workflow_id"`
	Version       string  `json:"version"`
	RunID         string  `json:"run_id"`
	Status        string  `json:"status"`
}

func main() {
	address := flag.String("addr", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	// bare is what net/http costs by itself.
	mux.HandleFunc("POST /bare", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"completed"}`))
	})
	mux.HandleFunc("POST /same-work", sameWork)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "baseline:", err)
		os.Exit(1)
	}
	// The runtime's own time limits: no server should be without them.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 120 * time.Second, IdleTimeout: 120 * time.Second}
	fmt.Fprintln(os.Stderr, "baseline:", server.Serve(listener))
	os.Exit(1)
}

// sameWork decodes the body and encodes the reply of the benchmark's workflow, which
// hands the inputs' order and customer on.
func sameWork(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	inputs, _ := body["inputs"].(map[string]any)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply{
		Outputs:    map[string]any{"customer": inputs["customer"], "items": inputs["items"]},
		WorkflowID: "bench", Version: "1.0.0", RunID: "0123456789abcdef0123456789abcdef", Status: "completed",
	})
}
