package main

import (
	"io"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// stdio starts 'nexus mcp --stdio' and connects the official client to it.
func stdio(t *testing.T, args ...string) (session *mcp.ClientSession, end func() (code int, errOut string)) {
	t.Helper()
	in, toNexus := io.Pipe()
	fromNexus, out := io.Pipe()
	var errOut strings.Builder
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), append([]string{"mcp", "--stdio"}, args...), in, out, &errOut)
		_ = out.Close()
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: fromNexus, Writer: toNexus}, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, errOut.String())
	}
	return session, func() (int, string) {
		if err := session.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		return <-done, errOut.String()
	}
}

// TestMCPStdio: the official client lists and calls tools of an app from a file, and of one
// on a server.
func TestMCPStdio(t *testing.T) {
	s := serveShop(t)
	for way, args := range map[string][]string{
		"file":   {"-f", write(t, "app.yaml", shop), "--secrets-dir", s.secretsDir, "--token-file", s.keyFile},
		"server": {"--server", s.mcp, "--token-file", s.keyFile},
	} {
		t.Run(way, func(t *testing.T) {
			session, end := stdio(t, args...)
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 5 {
				t.Fatalf("%+v, %v", tools, err)
			}
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "quote", Arguments: map[string]any{"sku": "a", "quantity": 2}})
			if err != nil || result.IsError {
				t.Fatalf("%+v, %v", result, err)
			}
			if got, ok := result.StructuredContent.(map[string]any); !ok || got["total"] != 20.0 {
				t.Errorf("the result is %v", result.StructuredContent)
			}
			if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "quote", Arguments: map[string]any{}}); err == nil || !strings.Contains(err.Error(), "quote") && !strings.Contains(err.Error(), "schema") {
				t.Errorf("an input that the schema refuses: %v", err)
			}
			raised, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "raises"})
			if err != nil || !raised.IsError {
				t.Errorf("a workflow that fails: %+v, %v", raised, err)
			}
			if code, errOut := end(); code != 0 || errOut != "" {
				t.Errorf("exit code %d: %s", code, errOut)
			}
		})
	}
}

func TestMCPRefuses(t *testing.T) {
	s := serveShop(t)
	code, out, errOut := nexus(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "mcp")
	if code != exitUsage || out != "" || !strings.Contains(errOut, "--stdio is the only way") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
	restOnly := write(t, "app.yaml", strings.Replace(good, "- name: echo\n", "- name: echo\n    expose: [REST]\n", 1))
	if code, _, errOut := nexus(t, "", "mcp", "--stdio", "-f", restOnly, "--secrets-dir", s.secretsDir); code != exitUsage || !strings.Contains(errOut, "spec.workflows[].expose") {
		t.Errorf("%d: %s", code, errOut)
	}
	if code, _, errOut := nexus(t, good, "mcp", "--stdio", "-f", "-"); code != exitUsage || !strings.Contains(errOut, "named twice") {
		t.Errorf("%d: %s", code, errOut)
	}
}
