package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// ownBuckets is why limits are not seen without a server.
const ownBuckets = "every process begins with full buckets"

// limitCases are about how often, and how much at once.
func limitCases() []testCase {
	spent := func(workflow, as, policy string) step {
		return step{app: "limited", workflow: workflow, as: as, code: "rate_limited", check: func(t *testing.T, _ channel, v verdict) {
			t.Helper()
			if v.retryAfter < 1 || v.retryAfter > 60 || !slices.Contains(v.problem.Policies, policy) {
				t.Errorf("told to wait %d s because of %q, want at most 60 s because of %s: %s", v.retryAfter, v.problem.Policies, policy, brief(v.raw))
			}
		}}
	}
	passed := func(workflow, as string) step { return step{app: "limited", workflow: workflow, as: as} }
	other := func(workflow, as, inputs, code string) step {
		return step{app: "limited", workflow: workflow, as: as, inputs: inputs, code: code}
	}
	const burst, own, checked = "burst-{channel}", "own-{channel}", "checked-{channel}"
	return []testCase{
		{name: "burst of three, and no more", steps: []step{
			passed("echo", burst), passed("echo", burst), passed("echo", burst), spent("echo", burst, "app"), spent("order", burst, "app"),
			passed("echo", "other-{channel}"), // each subject has its own
		}, not: unserved(ownBuckets)},
		{name: "bucket of a workflow's own", steps: []step{
			passed("own", own), spent("own", own, "workflow/own"), // which costs nothing of the app's
			passed("echo", own), passed("echo", own), spent("echo", own, "app"),
		}, not: unserved(ownBuckets)},
		{name: "what is spent", steps: []step{
			other("no-such-workflow", checked, "", "workflow_not_found"), // spends nothing
			other("order", checked, `{}`, "schema_violation"), other("buyers", checked, "", "forbidden"), other("echo", checked, `{"eval":1}`, "invalid_input"),
			spent("echo", checked, "app"),
		}, not: unserved(ownBuckets)},
	}
}

// refusedOften has the app guarded refuse credentials until it counts them.
func refusedOften(t *testing.T) {
	t.Helper()
	for range 10 {
		header := http.Header{"Authorization": {"Bearer nxs_12345678_wrong"}}
		if got := send(t, http.MethodPost, apps["guarded"].api+"/workflows/echo/execute", `{}`, header); got.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Fatal("refused credentials are not limited")
}

// holding is held by the case that fills the app narrow.
var holding sync.Mutex

// fillNarrow has the app narrow run all that it may at once, until the case ends.
func fillNarrow(t *testing.T) {
	t.Helper()
	holding.Lock()
	ended := make(chan error, 1)
	// The run goes on until the cleanup, before which the context of a test ends.
	go func() { ended <- hold(context.WithoutCancel(t.Context())) }()
	select {
	case <-external.arrived:
	case err := <-ended:
		holding.Unlock()
		t.Fatalf("the workflow that is to be held has ended: %v", err)
	}
	t.Cleanup(func() {
		defer holding.Unlock()
		select {
		case external.release <- struct{}{}:
			if err := <-ended; err != nil {
				t.Error(err)
			}
		case err := <-ended:
			t.Errorf("the workflow that is to be held has ended: %v", err)
		}
	})
}

// hold runs the workflow of the app narrow that calls a service which does not answer yet.
func hold(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := apps["narrow"]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.api+"/workflows/hold/execute", http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", a.credentials["web"])
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New("it answers "+res.Status))
	}
	return err
}

// faultCases are about runs that fail, and about calls that are not run.
func faultCases() []testCase {
	failed := func(name, workflow, inputs string, status int) testCase {
		return one("fault: "+name, step{workflow: workflow, inputs: inputs, code: "workflow_failed", check: wantStatus(status)})
	}
	return []testCase{
		one("timeout", step{workflow: "slow", code: "timeout"}),
		failed("raised 409", "conflict", "", http.StatusConflict),
		failed("raised 418", "teapot", "", http.StatusTeapot),
		failed("raised 500", "broken", "", http.StatusInternalServerError),
		failed("raised 404, which is no missing workflow", "absent", "", http.StatusNotFound),
		failed("raised 401, which is no missing credential", "locked", "", http.StatusUnauthorized),
		failed("raised without a status of errors", "odd-status", "", http.StatusInternalServerError),
		failed("call of a service that answers 410", "calls-gone", "", http.StatusBadGateway),
		failed("call of a host that is not allowed", "calls-inside", `{"url":"http://169.254.169.254/latest"}`, http.StatusInternalServerError),
		failed("expression that cannot be evaluated", "adds", `{"a":1,"b":{}}`, http.StatusBadRequest),
		failed("output against its schema", "checks-output", "", http.StatusInternalServerError),
		{
			name: "overloaded", prepare: fillNarrow,
			steps: []step{{app: "narrow", workflow: "echo", code: "overloaded", check: func(t *testing.T, _ channel, v verdict) {
				t.Helper()
				if v.retryAfter < 1 {
					t.Errorf("not told when to try again: %s", brief(v.raw))
				}
			}}},
			not: unserved("every process has its own places"),
		},
		{
			name: "credentials refused too often", prepare: refusedOften,
			steps: []step{
				{app: "guarded", workflow: "echo", as: "wrong", code: "rate_limited", check: func(t *testing.T, _ channel, v verdict) {
					t.Helper()
					if v.retryAfter < 1 || v.retryAfter > 60 {
						t.Errorf("told to wait %d s: %s", v.retryAfter, brief(v.raw))
					}
				}},
				{app: "guarded", workflow: "echo", as: "-", code: "unauthenticated"}, // presents none
				{app: "guarded", workflow: "echo", output: `{}`},
			},
			not: unserved(ownBuckets),
		},
	}
}

// wantStatus checks the status that the problem has on every channel, and that it tells
// nothing of what is inside.
func wantStatus(status int) func(*testing.T, channel, verdict) {
	return func(t *testing.T, _ channel, v verdict) {
		t.Helper()
		if v.problem.Status != status || v.problem.Error == nil || v.problem.Error.Type == "" {
			t.Errorf("the status is %d, want %d, with the error of the workflow: %s", v.problem.Status, status, brief(v.raw))
		}
		for _, inside := range []string{external.host(), "127.0.0.1", "169.254", "inner secret", "goroutine", "runtime/"} {
			if strings.Contains(v.raw, inside) {
				t.Errorf("the problem tells of %q: %s", inside, brief(v.raw))
			}
		}
	}
}

// outputCases are about what a run gives.
func outputCases() []testCase {
	gives := func(workflow, inputs, output string) testCase {
		return one("output: "+workflow, step{workflow: workflow, inputs: inputs, output: output})
	}
	cases := []testCase{
		gives("gives-null", "", `null`),
		gives("gives-text", `{"name":"Ada \"A\" <b>&"}`, `"plain text, Ada \"A\" <b>&"`),
		gives("gives-number", `{"n":-12345678901234567890123}`, `-12345678901234567890123`),
		gives("gives-list", "", `[1,"two",[3],{},null]`),
		gives("gives-nothing", "", `{}`),
		gives("gives-false", "", `false`),
		one("output: large", step{workflow: "gives-much", check: func(t *testing.T, _ channel, v verdict) {
			t.Helper()
			if n := strings.Count(v.output, `"name":"row `); n != 20000 || !strings.HasSuffix(v.output, `{"id":19999,"name":"row 19999"}]}`) {
				t.Errorf("%d rows, and at the end %q", n, v.output[max(0, len(v.output)-100):])
			}
		}}),
	}
	for _, c := range [][2]string{
		{"emoji", "😀👩‍👩‍👧‍👦"}, {"right to left", "שלום עולם"}, {"marks of direction", "a\u202eb\u2066c"}, {"combining", "e\u0301\u0323 and é"},
		{"line separators", "a\u2028b\u2029c"}, {"control characters", `\u0001\u001b[31m\u007f`}, {"byte order mark", "\ufeffx"},
		{"escaped pair", `\ud83d\ude00`}, {"last character", "\U0010ffff"}, {"markup", `</script><!-- & -->`},
	} {
		cases = append(cases, passes("Unicode: "+c[0], fmt.Sprintf(`{"value":"%s","key %s":[true]}`, c[1], c[1])))
	}
	return cases
}

// repeated is a call that is made once, and told again.
type repeated struct{ output string }

// same checks that the outcome is that of the first time.
func (r *repeated) same(t *testing.T, ch channel, v verdict) {
	t.Helper()
	if r.output == "" {
		r.output = v.output
	}
	if v.output != r.output {
		t.Errorf("over %s the run was made again: %s, and before %s", ch.name, v.output, r.output)
	}
}

// repeatCases are about calls that are made once, and about calls that are asked for later.
func repeatCases() []testCase {
	const forgets = "what is kept ends with the process"
	// How often a subject may ask for executions is limited.
	const key, later = "once-over-{channel}", "later-{channel}"
	once, onceLater := &repeated{}, &repeated{}
	return []testCase{
		{name: "idempotency key", steps: []step{
			{workflow: "gives-id", key: key, inputs: `{"a":1,"b":2}`, check: once.same},
			{workflow: "gives-id", key: key, inputs: `{"b":2, "a":1}`, check: once.same},
			{workflow: "gives-id", key: key, inputs: `{"a":2}`, code: "idempotency_mismatch"},
			{workflow: "gives-id", key: key, as: "buyer", inputs: `{"a":3}`}, // another subject's key is another
			{workflow: "conflict", key: key, code: "workflow_failed", check: wantStatus(http.StatusConflict)},
			{workflow: "conflict", key: key, code: "workflow_failed", check: wantStatus(http.StatusConflict)},
		}, not: unserved(forgets)},
		one("idempotency key that is none", step{workflow: "echo", key: strings.Repeat("k", 300), code: "invalid_input"}),
		one("asynchronous", step{workflow: "echo", inputs: `{"a":[1,"é"]}`, as: later, async: true, output: `{"a":[1,"é"]}`}).except(forgets, fromFile...),
		one("asynchronous, and null", step{workflow: "gives-null", as: later, async: true, output: `null`}).except(forgets, fromFile...),
		one("asynchronous failure", step{workflow: "conflict", as: later, async: true, code: "workflow_failed", check: wantStatus(http.StatusConflict)}).except(forgets, fromFile...),
		one("asynchronous timeout", step{workflow: "slow", as: later, async: true, code: "timeout"}).except(forgets, fromFile...),
		one("asynchronous, with inputs that are refused", step{workflow: "order", inputs: `{}`, as: later, async: true, code: "schema_violation"}).except(forgets, fromFile...),
		one("streamed", step{workflow: "echo", inputs: `{"a":[1,"é"]}`, stream: true, output: `{"a":[1,"é"]}`}),
		one("streamed, and null", step{workflow: "gives-null", stream: true, output: `null`}),
		one("streamed failure", step{workflow: "conflict", stream: true, code: "workflow_failed", check: wantStatus(http.StatusConflict)}),
		one("streamed timeout", step{workflow: "slow", stream: true, code: "timeout"}),
		one("streamed, with inputs that are refused", step{workflow: "order", inputs: `{}`, stream: true, code: "schema_violation"}),
		one("streamed, with a blocked key", step{workflow: "echo", inputs: `{"eval":1}`, stream: true, code: "invalid_input"}),
		one("streamed, without its role", step{workflow: "buyers", stream: true, code: "forbidden"}),
		one("streamed, without its scope", step{workflow: "scoped", stream: true, code: "forbidden", check: wantScopes}),
		one("streamed, without a credential", step{workflow: "echo", as: "-", stream: true, code: "unauthenticated"}),
		one("streamed, and unknown", step{workflow: "no-such-workflow", stream: true, code: "workflow_not_found"}),
		{name: "asynchronous with an idempotency key", steps: []step{
			{workflow: "gives-id", key: "later-" + key, as: later, async: true, check: onceLater.same},
			{workflow: "gives-id", key: "later-" + key, as: later, async: true, check: onceLater.same},
			{workflow: "gives-id", key: "later-" + key, as: later, code: "idempotency_mismatch"},
		}, not: unserved(forgets)},
	}
}
