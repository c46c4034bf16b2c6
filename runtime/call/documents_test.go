package call

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// shelter is an API whose server is the one that its document comes from.
const shelter = `{"openapi": "3.0.0", "servers": [{"url": "/api"}], "paths": {
	"/animals": {
		"get": {"operationId": "listAnimals", "parameters": [{"name": "state", "in": "query", "required": true}]},
		"post": {"operationId": "addAnimal", "requestBody": {"content": {"application/json": {}}}}
	}
}}`

// shelterServer serves the document at /openapi.json, as long as there is one, and the
// API.
func shelterServer(t *testing.T, document *atomic.Value, fetched *atomic.Int64) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		if user, password, _ := r.BasicAuth(); user != "" && password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text, _ := document.Load().(string)
		if text == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(text))
	})
	mux.HandleFunc("/api/", echo)
	return serve(t, mux.ServeHTTP)
}

// until waits for what documents say of the one that is fetched.
func until(t *testing.T, c *Caller, what string, holds func(DocumentHealth) bool) {
	t.Helper()
	tick, patience := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		list := c.Documents()
		if len(list) == 1 && holds(list[0]) {
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("the document is not %s: %+v", what, list)
		}
	}
}

func hasten(c *Caller) *Caller {
	c.documents.pause = func(int) time.Duration { return time.Millisecond }
	return c
}

func basic(password string) *workflow.Authentication {
	return &workflow.Authentication{Scheme: workflow.AuthenticateBasic, Username: "me", Password: password}
}

func TestOpenAPI(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, echo)
	document := strings.Replace(shelter, "/api", server.URL+"/v1", 1)
	c := New(Options{Guard: guardTo(t, server), Resources: map[string]string{
		"configmap:apis/shelter": document, "configmap:apis/relative": shelter, "configmap:apis/broken": "{",
		"configmap:apis/outside": strings.Replace(shelter, "/api", "https://elsewhere.example", 1),
	}})
	defer c.Close()
	resp, err := c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{
		Document: "configmap:apis/shelter", OperationID: "listAnimals", Parameters: map[string]any{"state": []any{"a b", "c"}},
		Authentication: &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "t0ken"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := echoOf(t, resp); got.Method != "GET" || got.URI != "/v1/animals?state=a%20b&state=c" || got.Header.Get("Authorization") != "Bearer t0ken" {
		t.Errorf("got %+v", got)
	}
	resp, err = c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{Document: "configmap:apis/shelter", OperationID: "addAnimal", Parameters: map[string]any{"body": map[string]any{"id": 9007199254740993}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := echoOf(t, resp); got.Method != "POST" || got.Body != `{"id":9007199254740993}` || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", got)
	}
	for _, f := range []struct {
		name, document, operation string
		parameters                map[string]any
		kind                      workflow.ErrorKind
		detail, cause             string
	}{
		{"no document", "configmap:apis/none", "listAnimals", nil, workflow.ConfigurationError, "its OpenAPI document is not there or cannot be read", "apis/none"},
		{"a broken document", "configmap:apis/broken", "listAnimals", nil, workflow.ConfigurationError, "cannot be read", "reading the OpenAPI document: line"},
		{"no operation", "configmap:apis/shelter", "listAnimal", nil, workflow.ConfigurationError, `does not fit the operation "listAnimal"`, `did you mean "listAnimals"?`},
		{"no server", "configmap:apis/relative", "listAnimals", map[string]any{"state": "x"}, workflow.ConfigurationError, "does not fit", "where its API is served"},
		{"an unknown parameter", "configmap:apis/shelter", "listAnimals", map[string]any{"state": "x", "inner": 1}, workflow.ConfigurationError, "does not fit", `no parameter "inner"`},
		{"a missing value", "configmap:apis/shelter", "listAnimals", map[string]any{"state": nil}, workflow.ExpressionError, "the parameter state is required and has no value", ""},
		{"a host out of reach", "configmap:apis/outside", "listAnimals", map[string]any{"state": "x"}, workflow.ConfigurationError, "spec.egress", "elsewhere.example"},
		{"a document that nobody fetches", server.URL + "/openapi.json", "listAnimals", nil, workflow.ConfigurationError, "none that the app fetches", ""},
	} {
		_, err := c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{Document: f.document, OperationID: f.operation, Parameters: f.parameters})
		cause := mustFail(t, f.name, err, f.kind, http.StatusBadRequest, f.detail, "listAnimals\"?", "elsewhere")
		if !strings.Contains(cause, f.cause) {
			t.Errorf("%s: the cause is %s", f.name, cause)
		}
	}
}

func TestCheckOperation(t *testing.T) {
	server := serve(t, echo)
	c := New(Options{Guard: guardTo(t, server), Resources: map[string]string{
		"configmap:apis/inside":  strings.Replace(shelter, "/api", server.URL, 1),
		"configmap:apis/outside": strings.Replace(shelter, "/api", "https://elsewhere.example", 1),
	}})
	for _, f := range []struct{ document, operation, want string }{
		{"configmap:apis/inside", "listAnimals", ""},
		{"configmap:apis/inside", "listAnimal", `did you mean "listAnimals"?`},
		{"configmap:apis/outside", "listAnimals", "elsewhere.example:443 is not in spec.egress.allow"},
		{"https://docs.example/openapi.json", "anything", ""},
		{"https://docs.example/openapi.json#sha256=x", "anything", "64 hexadecimal digits"},
	} {
		err := c.CheckOperation(f.document, f.operation)
		if f.want == "" && err != nil || f.want != "" && (err == nil || !strings.Contains(err.Error(), f.want)) {
			t.Errorf("%s %s: %v, want %q", f.document, f.operation, err, f.want)
		}
	}
}

// The first attempt is waited for; after that, calls fail until the document is there,
// and then it stays as it was.
func TestLoad(t *testing.T) {
	goroutines.Settle(t)
	var document atomic.Value
	var fetched atomic.Int64
	document.Store("")
	server := shelterServer(t, &document, &fetched)
	url := server.URL + "/openapi.json"
	c := hasten(callerTo(t, server))
	defer c.Close()
	call := func() (*workflow.HTTPResponse, error) {
		return c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{Document: url, OperationID: "listAnimals", Parameters: map[string]any{"state": "x"}})
	}
	c.Load(t.Context(), []DocumentSource{{URL: url}})
	_, err := call()
	cause := mustFail(t, "before the document is there", err, workflow.CommunicationError, http.StatusServiceUnavailable, "its OpenAPI document is not there yet")
	if !strings.Contains(cause, "404") {
		t.Errorf("the cause is %s", cause)
	}
	if list := c.Documents(); len(list) != 1 || list[0].Name != url || list[0].Loaded || list[0].Problem != "its server answered with status 404" {
		t.Errorf("the documents are %+v", list)
	}
	document.Store("no OpenAPI")
	until(t, c, "refused", func(h DocumentHealth) bool { return strings.Contains(h.Problem, "no object") })
	document.Store(shelter)
	until(t, c, "there", func(h DocumentHealth) bool { return h.Loaded && h.Problem == "" })
	document.Store("gone again")
	before := fetched.Load()
	c.Load(t.Context(), []DocumentSource{{URL: url}}) // which has it already
	resp, err := call()
	if err != nil {
		t.Fatal(err)
	}
	if got := echoOf(t, resp); got.URI != "/api/animals?state=x" {
		t.Errorf("got %+v", got)
	}
	if fetched.Load() != before {
		t.Error("a document that was there is fetched again")
	}
}

// Calls that are made at once wait for the first attempt, each no longer than its
// context.
func TestLoadIsWaitedFor(t *testing.T) {
	goroutines.Settle(t)
	asked, answer := make(chan bool, 1), make(chan bool)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			asked <- true
			<-answer
			_, _ = w.Write([]byte(shelter))
			return
		}
		echo(w, r)
	})
	c := callerTo(t, server)
	defer c.Close()
	c.Load(t.Context(), []DocumentSource{{URL: server.URL + "/openapi.json"}})
	<-asked
	call := func(ctx context.Context) error {
		_, err := c.OpenAPI(ctx, &workflow.OpenAPIRequest{Document: server.URL + "/openapi.json", OperationID: "addAnimal"})
		return err
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := call(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a call whose context has ended: %v", err)
	}
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if err := call(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	close(answer)
	calls.Wait()
}

func TestLoadAccess(t *testing.T) {
	goroutines.Settle(t)
	var document atomic.Value
	var fetched atomic.Int64
	document.Store(shelter)
	server := shelterServer(t, &document, &fetched)
	url := server.URL + "/openapi.json"
	c := hasten(callerTo(t, server))
	defer c.Close()
	// Two definitions name the document, and one of them has an old password.
	c.Load(t.Context(), []DocumentSource{{URL: url, Access: fixed(basic("wrong"))}, {URL: url, Access: fixed(basic("s3cret"))}})
	until(t, c, "there", func(h DocumentHealth) bool { return h.Loaded })
	if fetched.Load() != 2 {
		t.Errorf("it was fetched %d times", fetched.Load())
	}
}

func fixed(a *workflow.Authentication) func(context.Context) (*workflow.Authentication, error) {
	return func(context.Context) (*workflow.Authentication, error) { return a, nil }
}

// TestLoadAccessRotates: each attempt is made with the secret of its time, and one that
// cannot be found out is made later.
func TestLoadAccessRotates(t *testing.T) {
	goroutines.Settle(t)
	var document atomic.Value
	var fetched atomic.Int64
	document.Store(shelter)
	server := shelterServer(t, &document, &fetched)
	c := hasten(callerTo(t, server))
	defer c.Close()
	var password atomic.Value
	password.Store("")
	c.Load(t.Context(), []DocumentSource{{URL: server.URL + "/openapi.json", Access: func(context.Context) (*workflow.Authentication, error) {
		if password.Load() == "" {
			return nil, workflow.NewError(workflow.AuthorizationError, errors.New("of s3cret"), "the secret is not there")
		}
		return basic(password.Load().(string)), nil
	}}})
	until(t, c, "waiting", func(h DocumentHealth) bool {
		return strings.Contains(h.Problem, "the secret is not there") && !strings.Contains(h.Problem, "s3cret")
	})
	if fetched.Load() != 0 {
		t.Error("it was fetched without the access that it takes")
	}
	_, err := c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{Document: server.URL + "/openapi.json", OperationID: "addAnimal"})
	mustFail(t, "without the secret", err, workflow.CommunicationError, http.StatusServiceUnavailable, "not there yet")
	password.Store("wrong")
	until(t, c, "refused", func(h DocumentHealth) bool { return strings.Contains(h.Problem, "401") })
	password.Store("s3cret")
	until(t, c, "there", func(h DocumentHealth) bool { return h.Loaded && h.Problem == "" })
}

func TestLoadPinned(t *testing.T) {
	goroutines.Settle(t)
	var document atomic.Value
	var fetched atomic.Int64
	document.Store(shelter + " ")
	server := shelterServer(t, &document, &fetched)
	address := server.URL + "/openapi.json"
	pinned := fmt.Sprintf("%s#sha256=%X", address, sha256.Sum256([]byte(shelter)))
	for _, f := range []struct{ url, detail string }{{pinned, "pins another content"}, {address + "#part", "64 hexadecimal digits"}} {
		c := hasten(callerTo(t, server))
		defer c.Close()
		c.Load(t.Context(), []DocumentSource{{URL: f.url}})
		request := &workflow.OpenAPIRequest{Document: f.url, OperationID: "addAnimal"}
		_, err := c.OpenAPI(t.Context(), request)
		mustFail(t, f.url, err, workflow.ConfigurationError, http.StatusBadRequest, f.detail)
		if f.url != pinned {
			continue
		}
		document.Store(shelter)
		until(t, c, "there", func(h DocumentHealth) bool { return h.Loaded })
		if _, err := c.OpenAPI(t.Context(), request); err != nil {
			t.Error(err)
		}
	}
}

// What is in the way of a document is for the log alone.
func TestLoadOutOfReach(t *testing.T) {
	goroutines.Settle(t)
	c := hasten(callerTo(t))
	ctx, cancel := context.WithCancel(t.Context())
	c.Load(ctx, []DocumentSource{{URL: "https://cloud.test/openapi.json"}})
	until(t, c, "refused", func(h DocumentHealth) bool {
		return strings.Contains(h.Problem, "cloud.test:443 is not in spec.egress.allow")
	})
	cancel()
	c.Close()
	c.Load(t.Context(), []DocumentSource{{URL: "https://later.test/openapi.json"}})
	_, err := c.OpenAPI(t.Context(), &workflow.OpenAPIRequest{Document: "https://later.test/openapi.json", OperationID: "x"})
	mustFail(t, "closed", err, workflow.CommunicationError, http.StatusServiceUnavailable, "not there yet")
}

func TestPause(t *testing.T) {
	for failed, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 100: time.Minute} {
		for range 20 {
			if got := pause(failed); got < want/2 || got > want {
				t.Errorf("the pause after %d attempts is %s, want up to %s", failed, got, want)
			}
		}
	}
}
