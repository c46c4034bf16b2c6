package cli

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewClient(t *testing.T) {
	for _, c := range []struct {
		o    Options
		mcp  string // where MCP is
		want string // of the error
	}{
		{Options{Server: "https://shop.example.com/", Token: "t"}, "https://shop.example.com/mcp", ""},
		{Options{Server: "https://shop.example.com/base"}, "https://shop.example.com/base/mcp", ""},
		{Options{Server: "https://shop.example.com/mcp/"}, "https://shop.example.com/mcp", ""},
		{Options{Server: "https://shop.example.com", MCP: "https://mcp.example.com"}, "https://mcp.example.com/mcp", ""},
		{Options{Server: "http://127.0.0.2:8000", Token: "t"}, "http://127.0.0.2:8000/mcp", ""},
		{Options{Server: "http://[::1]:8000", Token: "t"}, "http://[::1]:8000/mcp", ""},
		{Options{Server: "http://localhost", Token: "t"}, "http://localhost/mcp", ""},
		{Options{Server: "http://shop.team-a.svc:8000"}, "http://shop.team-a.svc:8000/mcp", ""},
		{Options{Server: "http://shop.team-a.svc:8000", Token: "t", InsecureHTTP: true}, "http://shop.team-a.svc:8000/mcp", ""},
		{Options{Server: "http://shop.team-a.svc:8000", Token: "t"}, "", "--insecure-http"},
		{Options{Server: "http://localhost.example.com", Token: "t"}, "", "--insecure-http"},
		{Options{Server: "https://shop.example.com", MCP: "http://mcp.example.com", Token: "t"}, "", "--insecure-http"},
		{Options{Server: "shop.example.com"}, "", "--server: write"},
		{Options{Server: "ftp://shop.example.com"}, "", "--server: write"},
		{Options{Server: "https://ada:hush@shop.example.com"}, "", "--server: write"},
		{Options{Server: "https://shop.example.com?token=hush"}, "", "--server: write"},
		{Options{Server: "https://shop.example.com", MCP: "mcp"}, "", "--mcp-server: write"},
	} {
		client, err := NewClient(c.o)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); c.want == "" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") || !ok || e.Exit != ExitUsage {
				t.Errorf("%+v: %v", c.o, err)
			}
			continue
		}
		client.Close()
		if c.want != "" || client.mcp.String() != c.mcp {
			t.Errorf("%+v: MCP at %s; want %s %s", c.o, client.mcp, c.mcp, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for text, want := range map[string]string{
		"abc.def\n": "abc.def", " nxs_1 ": "nxs_1", "": "", "\n": "", "two words": "", "a\x00b": "", "ä": "", strings.Repeat("x", maxTokenBytes+1): "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile, fileErr := TokenFromFile("--token-file", file)
		asked, askErr := AskToken(t.Context(), strings.NewReader(text), io.Discard)
		for got, err := range map[string]error{fromFile: fileErr, asked: askErr} {
			if got != want || (want == "") != (err != nil) || err != nil && strings.Contains(err.Error(), "words") {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		}
	}
	t.Setenv(TokenVariable, "from-environment")
	if got, err := TokenFromEnvironment(); got != "from-environment" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv(TokenVariable, "")
	if got, err := TokenFromEnvironment(); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv(TokenVariable, "hush hush")
	if _, err := TokenFromEnvironment(); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

// TestInProcess: handlers are called as over loopback, and nothing is left behind.
func TestInProcess(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	var got http.Request
	client := InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = *r
		// The reply does not wait for the body.
		_, _ = io.WriteString(w, `{"workflows":[{"name":"`+large+`"}]}`)
	}), nil, "hush")
	workflows, _, err := client.List(t.Context())
	if err != nil || len(workflows) != 1 || workflows[0].Name != large {
		t.Fatalf("%d workflows, %v", len(workflows), err)
	}
	if got.Host != "127.0.0.1:8000" || got.RemoteAddr != "127.0.0.1:1" || got.Header.Get("Authorization") != "Bearer hush" {
		t.Errorf("host %s, remote %s, %v", got.Host, got.RemoteAddr, got.Header)
	}
	if local, ok := got.Context().Value(http.LocalAddrContextKey).(interface{ String() string }); !ok || local.String() != "127.0.0.1:8000" {
		t.Errorf("the server's address is %v", local)
	}
	_, err = client.sendTo(t.Context(), http.MethodPost, client.mcp.String(), nil, nil) //nolint:bodyclose // there is no reply
	if err == nil || !strings.Contains(err.Error(), "spec.workflows[].expose") {
		t.Errorf("MCP where there is none: %v", err)
	}
	client.Close()
	if _, _, err := client.List(t.Context()); err == nil || !strings.Contains(err.Error(), errPipeClosed.Error()) {
		t.Errorf("a closed client: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("https://elsewhere.example.com/", http.StatusTemporaryRedirect))
	defer s.Close()
	client, err := NewClient(Options{Server: s.URL, Token: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, _, err := client.List(t.Context()); err == nil || !strings.Contains(err.Error(), "https://elsewhere.example.com/: redirects are not followed") {
		t.Errorf("%v", err)
	}
}

// TestStrangers: what is no runtime is told apart from one.
func TestStrangers(t *testing.T) {
	for _, body := range []string{`<html>`, `{}`, `[]`, `{"workflows":null}`, `{"executions":null}`, `{"run_id":1}`} {
		client := InProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }), nil, "")
		_, _, list := client.List(t.Context())
		_, _, workflow := client.Workflow(t.Context(), "a")
		_, _, executions := client.Executions(t.Context())
		_, _, execution := client.Execution(t.Context(), "1")
		_, run := client.Run(t.Context(), Run{Workflow: "a", Inputs: []byte("{}"), Mode: Sync})
		_, streamed := client.Run(t.Context(), Run{Workflow: "a", Inputs: []byte("{}"), Mode: Stream})
		for name, err := range map[string]error{"list": list, "workflow": workflow, "executions": executions, "execution": execution, "run": run, "stream": streamed} {
			if err == nil || !strings.Contains(err.Error(), "is --server right?") {
				t.Errorf("%s of %s: %v", name, body, err)
			}
		}
		client.Close()
	}
}

func TestCauseOfTheEnd(t *testing.T) {
	client := InProcess(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil, "")
	defer client.Close()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, _, err := client.List(ctx); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}
