package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// answering is a server that answers every request alike and remembers the last.
func answering(t *testing.T, status int, header map[string]string, body string) (s *httptest.Server, got *http.Request, sent *string) {
	t.Helper()
	got, sent = new(http.Request), new(string)
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodGet { // asked for a schema
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"workflow_not_found","detail":"no"}`)
			return
		}
		*got, *sent = *r, string(raw)
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s, got, sent
}

// ca writes the certificate of a server to a file.
func ca(t *testing.T, s *httptest.Server) string {
	t.Helper()
	return write(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func TestRun(t *testing.T) {
	s, got, sent := answering(t, http.StatusOK, nil, `{"outputs":{"total":20,"note":"a<b"},"workflow_id":"quote"}`)
	file := write(t, "inputs.json", `{"items": [{"n": 1.50}], "customer": "nobody"}`)
	code, out, errOut := nexus(t, "", "run", "quote", "--server", s.URL+"/", "--ca-file", ca(t, s), "--token-file", write(t, "token", "abc.def\n"),
		"--input-file", file, "--input", "customer=c-1", "--input", "age=7", "--input", `id="7"`, "--input", "vip=true", "--input", "text=a=b c", "--input", "empty=")
	if code != 0 || errOut != "" {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	if want := "{\n  \"total\": 20,\n  \"note\": \"a<b\"\n}\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/workflows/quote/execute" || got.Header.Get("Authorization") != "Bearer abc.def" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s with %v", got.Method, got.URL, got.Header)
	}
	want := `{"inputs":{"items":[{"n": 1.50}],"customer":"c-1","age":7,"id":"7","vip":true,"text":"a=b c","empty":""}}`
	if *sent != want {
		t.Errorf("sent %s, want %s", *sent, want)
	}
}

func TestRunWithoutInputsAndToken(t *testing.T) {
	s, got, sent := answering(t, http.StatusOK, nil, `{"outputs": null}`)
	code, out, errOut := nexus(t, "", "run", "a/b", "--server", s.URL, "--ca-file", ca(t, s))
	if code != 0 || out != "null\n" || errOut != "" {
		t.Errorf("exit code %d: %q %s", code, out, errOut)
	}
	if _, with := got.Header["Authorization"]; with || got.RequestURI != "/workflows/a%2Fb/execute" || *sent != `{"inputs":{}}` {
		t.Errorf("%s with %v: %s", got.RequestURI, got.Header, *sent)
	}
}

// TestRunRefused: each code of the error table has its exit code, and what the server
// says is printed, without what a terminal would act on.
func TestRunRefused(t *testing.T) {
	problem := map[string]string{"Content-Type": "application/problem+json; charset=utf-8", "Retry-After": "3"}
	for _, c := range []struct {
		status int
		header map[string]string
		body   string
		code   int
		want   []string
	}{
		{401, problem, `{"code":"unauthenticated","detail":"no","requestId":"r-1"}`, cli.ExitDenied, []string{"nexus: unauthenticated: no (401, request r-1)\n", "nexus:   no credential was sent: give --token-file"}},
		{401, nil, `<html>`, exitFailure, []string{"answers 401 Unauthorized: no credential was sent: give --token-file"}},
		{403, problem, `{"code":"forbidden","detail":"no"}`, cli.ExitDenied, []string{"forbidden"}},
		{403, problem, `{"code":"https_required","detail":"no"}`, exitFailure, []string{"https_required"}},
		{404, problem, `{"code":"workflow_not_found","detail":"no"}`, exitUsage, []string{"workflow_not_found"}},
		{429, problem, `{"code":"rate_limited","detail":"no"}`, cli.ExitLimited, []string{"rate_limited", "nexus:   try again in 3 s\n"}},
		{400, problem, `{"code":"invalid_input","detail":"a\u001b[2Jb\nc"}`, exitInvalid, []string{"invalid_input: a[2Jbc ("}},
		{422, problem, `{"code":"schema_violation","detail":"no","violations":[{"pointer":"/a","message":"is no number"}]}`, exitInvalid, []string{"nexus:   /a: is no number\n"}},
		{422, problem, `{"code":"schema_violation","detail":"no","violations":[{"pointer":"","message":"has an unknown field"}]}`, exitInvalid, []string{"nexus:   at the root: has an unknown field\n"}},
		{413, problem, `{"code":"body_too_large","detail":"no"}`, exitInvalid, []string{"body_too_large"}},
		{500, problem, `{"code":"internal","detail":"no"}`, exitFailure, []string{"internal"}},
		{502, nil, `<html>`, exitFailure, []string{"/workflows/quote/execute answers 502 Bad Gateway"}},
		{308, map[string]string{"Location": "https://elsewhere.example.com/"}, ``, exitFailure, []string{"answers 308", "https://elsewhere.example.com/", "not followed"}},
		{200, nil, `<html>`, exitFailure, []string{"is --server right?"}},
		{200, nil, `{"results": 1}`, exitFailure, []string{"is --server right?"}},
	} {
		s, _, _ := answering(t, c.status, c.header, c.body)
		code, out, errOut := nexus(t, "", "run", "quote", "--server", s.URL, "--ca-file", ca(t, s))
		if code != c.code || out != "" {
			t.Errorf("%d %s: exit code %d, want %d; %q", c.status, c.body, code, c.code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(errOut, want) {
				t.Errorf("%d %s: no %q in %q", c.status, c.body, want, errOut)
			}
		}
	}
}

// TestRunRefusedWithToken: who gave a token is not told to give one.
func TestRunRefusedWithToken(t *testing.T) {
	s, _, _ := answering(t, http.StatusUnauthorized, map[string]string{"Content-Type": "application/problem+json"}, `{"code":"unauthenticated","detail":"no"}`)
	code, _, errOut := nexus(t, "", "run", "quote", "--server", s.URL, "--ca-file", ca(t, s), "--token-file", write(t, "token", "abc"))
	if code != cli.ExitDenied || strings.Contains(errOut, "--token-file") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

func TestRunUsage(t *testing.T) {
	s, _, _ := answering(t, http.StatusOK, nil, `{"outputs": 1}`)
	for _, c := range []struct {
		in   string
		args []string
		code int
		want string
	}{
		{"", []string{"quote"}, exitUsage, "say which app: --server URL, -f FILE, or a context"},
		{"", []string{"--server", s.URL}, exitUsage, "name one workflow: see 'nexus run --help'\n"},
		{"", []string{"a", "b", "--server", s.URL}, exitUsage, "name one workflow"},
		{"", []string{"quote", "--server", "shop.example.com"}, exitUsage, "https://shop.example.com"},
		{"", []string{"quote", "--server", "https://user:hush@shop.example.com"}, exitUsage, "without user"},
		{"", []string{"quote", "--server", "https://shop.example.com:port"}, exitUsage, "--server"},
		{"", []string{"quote", "--server", s.URL, "--input", "novalue"}, exitUsage, "NAME=VALUE"},
		{"[1]", []string{"quote", "--server", s.URL, "--input-file", "-"}, exitInvalid, "JSON object"},
		{"null", []string{"quote", "--server", s.URL, "--input-file", "-"}, exitInvalid, "JSON object"},
		{"", []string{"quote", "--server", s.URL, "--input-file", "/does/not/exist"}, exitUsage, "no such file"},
		{"", []string{"quote", "--server", s.URL, "--token-file", "/does/not/exist"}, exitUsage, "--token-file"},
		{"", []string{"quote", "--server", s.URL, "--token-file", write(t, "token", "hush hush")}, exitUsage, "one token"},
		{"", []string{"quote", "--server", s.URL, "--token-file", write(t, "token", "\n")}, exitUsage, "one token"},
		{"", []string{"quote", "--server", s.URL, "--ca-file", write(t, "ca.crt", "nothing")}, exitUsage, "no PEM certificate"},
		{"", []string{"quote", "--server", s.URL}, exitFailure, "calling the server"}, // its certificate is not trusted
		{"", []string{"quote", "--server", s.URL, "--token", "hush"}, exitUsage, "--token-file FILE, set NEXUS_TOKEN"},
		{"hush", []string{"quote", "--server", s.URL, "--token", "-", "--input-file", "-"}, exitUsage, "named twice"},
		{"", []string{"quote", "--server", s.URL, "-f", "-"}, exitUsage, "none of the others can be"},
		{"", []string{"quote", "--server", s.URL, "--token", "-", "--token-file", "x"}, exitUsage, "none of the others can be"},
		{"", []string{"quote", "--server", "http://shop.example.com", "--token-file", write(t, "token", "hush")}, exitUsage, "--insecure-http"},
		{"", []string{"quote", "--server", s.URL, "--mode", "later"}, exitUsage, "use sync, async or stream"},
		{"", []string{"quote", "--server", s.URL, "--output", "xml"}, exitUsage, "use table, json or yaml: see 'nexus run --help'"},
		{"", []string{"quote", "--server", s.URL, "--timeout", "-1s"}, exitUsage, "--timeout -1s is negative"},
		{"", []string{"quote", "--context", "nowhere"}, exitUsage, "there is no context \"nowhere\""},
		{"", []string{"quote", "-f", write(t, "app.yaml", good), "--mode", "async"}, exitUsage, "without a server the run would end with this command"},
	} {
		code, out, errOut := nexus(t, c.in, append([]string{"run"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errOut, c.want) || strings.Contains(errOut, "hush") {
			t.Errorf("%v: exit code %d, want %d; %q %s", c.args, code, c.code, out, errOut)
		}
	}
}
