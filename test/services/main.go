// Command services is what the sample workflow of the demo calls: a price list behind TLS
// and a token, a stock and a sink for events, and an MCP server with one tool. The price
// list answers the first request for an article with 503, as overloaded services do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	addr := flag.String("addr", ":8080", "address of the stock, the sink and the MCP server")
	tlsAddr := flag.String("tls-addr", ":8443", "address of the price list")
	dir := flag.String("secret-dir", "/etc/services", "folder with tls.crt, tls.key and token")
	flag.Parse()
	token, err := os.ReadFile(*dir + "/token")
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	prices := newServer(*tlsAddr, (&priceList{token: strings.TrimSpace(string(token)), asked: map[string]bool{}}).handler())
	others := newServer(*addr, services())
	failed := make(chan error, 2)
	go func() { failed <- prices.ListenAndServeTLS(*dir+"/tls.crt", *dir+"/tls.key") }()
	go func() { failed <- others.ListenAndServe() }()
	select {
	case <-ctx.Done():
		return errors.Join(prices.Close(), others.Close())
	case err := <-failed:
		return err
	}
}

func newServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
}

// priceList answers GET /v1/price/{sku}.
type priceList struct {
	token string
	mu    sync.Mutex
	asked map[string]bool
}

func (p *priceList) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/price/{sku}", func(w http.ResponseWriter, r *http.Request) {
		sku := r.PathValue("sku")
		switch {
		case r.Header.Get("Authorization") != "Bearer "+p.token:
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case p.first(sku):
			http.Error(w, "come again", http.StatusServiceUnavailable)
		default:
			reply(w, map[string]any{"sku": sku, "amount": 10 * len(sku)})
		}
	})
	return mux
}

// first says whether nobody asked for an article before.
func (p *priceList) first(sku string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.asked[sku]
	p.asked[sku] = true
	return !before
}

// maxEvents is how many events the sink keeps.
const maxEvents = 100

// services are everything that needs no TLS.
func services() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/check", func(w http.ResponseWriter, r *http.Request) {
		var order struct {
			Items []struct {
				Qty int `json:"qty"`
			} `json:"items"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&order); err != nil {
			http.Error(w, "send an order", http.StatusBadRequest)
			return
		}
		ok := true
		for _, item := range order.Items {
			ok = ok && item.Qty <= 100
		}
		reply(w, map[string]any{"ok": ok})
	})
	var mu sync.Mutex
	var events []json.RawMessage
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil || r.Header.Get("Content-Type") != "application/cloudevents+json" || !json.Valid(event) {
			http.Error(w, "send a CloudEvent in its JSON form", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		events = append(events, event)
		events = events[max(0, len(events)-maxEvents):]
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		reply(w, events)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("/mcp", riskServer())
	return mux
}

// order is what the tool score looks at, and score what it says.
type order struct {
	Customer string `json:"customer" jsonschema:"the customer's id"`
}

type score struct {
	Level string `json:"level" jsonschema:"low or high"`
}

// riskServer is an MCP server with the tool score: customers whose id begins with "risky"
// are a high risk.
func riskServer() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "risk", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "score", Description: "How risky a customer is."},
		func(_ context.Context, _ *mcp.CallToolRequest, o order) (*mcp.CallToolResult, score, error) {
			if strings.HasPrefix(o.Customer, "risky") {
				return nil, score{"high"}, nil
			}
			return nil, score{"low"}, nil
		})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true})
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever went away reads nothing
}
