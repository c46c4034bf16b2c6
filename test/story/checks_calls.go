package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	echoPath  = "/workflows/echo/execute"
	echoBody  = `{"inputs": {"message": "hello"}}`
	quotePath = "/workflows/quote-order/execute"
	quoteBody = `{"inputs": {"customerId": "c-1", "items": [{"sku": "A-1", "quantity": 2, "unitPrice": 10}]}}`
)

func checkServes(ctx context.Context, e *Env) (string, error) {
	a, err := e.Expect(ctx, http.StatusOK, http.MethodPost, quotePath, "demo", quoteBody)
	if err != nil {
		return "", err
	}
	var reply struct {
		Outputs    map[string]any `json:"outputs"`
		WorkflowID string         `json:"workflow_id"`
		Status     string         `json:"status"`
	}
	if err := json.Unmarshal(a.body, &reply); err != nil {
		return "", err
	}
	if reply.Status != "completed" || reply.WorkflowID != "quote-order" || reply.Outputs["total"] != 20.0 {
		return "", fmt.Errorf("unexpected reply %s", a.body)
	}
	outputs, _ := json.Marshal(reply.Outputs)
	return "200 " + string(outputs), nil
}

func checkUnauthenticated(ctx context.Context, e *Env) (string, error) {
	a, err := e.expectProblem(ctx, http.StatusUnauthorized, "unauthenticated", echoPath, "", echoBody)
	if err != nil {
		return "", err
	}
	challenge := a.header.Get("WWW-Authenticate")
	if !strings.HasPrefix(challenge, "Bearer") {
		return "", fmt.Errorf("WWW-Authenticate is %q", challenge)
	}
	wrong, err := e.doKey(ctx, http.MethodPost, echoPath, "nxs_AAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", echoBody)
	if err != nil {
		return "", err
	}
	if wrong.Status != http.StatusUnauthorized || wrong.header.Get("WWW-Authenticate") == "" {
		return "", fmt.Errorf("a wrong key got %d", wrong.Status)
	}
	if _, err := wrong.problem(); err != nil {
		return "", err
	}
	return "401 without and with a wrong key, WWW-Authenticate: " + challenge, nil
}

func checkForbidden(ctx context.Context, e *Env) (string, error) {
	_, err := e.expectProblem(ctx, http.StatusForbidden, "forbidden", quotePath, "guest", quoteBody)
	return "403 for a client without the role", err
}

func checkInputRules(ctx context.Context, e *Env) (string, error) {
	for _, body := range []string{`{"inputs": {"a": {"__import__": 1}}}`, `{"inputs": {"file": "../../etc/passwd"}}`} {
		if _, err := e.expectProblem(ctx, http.StatusBadRequest, "invalid_input", echoPath, "demo", body); err != nil {
			return "", err
		}
	}
	return "400 for the key __import__ and for the value ../../etc/passwd", nil
}

func checkSchema(ctx context.Context, e *Env) (string, error) {
	a, err := e.expectProblem(ctx, http.StatusUnprocessableEntity, "schema_violation", quotePath, "demo", `{"inputs": {"customerId": 7, "items": []}}`)
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(a.body), `/customerId`) {
		return "", fmt.Errorf("no JSON pointer in %s", a.body)
	}
	return "422 with a JSON pointer", nil
}

func checkBodyCap(ctx context.Context, e *Env) (string, error) {
	raw, err := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, App, "-o", "jsonpath={.spec.input.maxBytes}")
	if err != nil {
		return "", err
	}
	limit, err := resource.ParseQuantity(raw)
	if err != nil {
		return "", fmt.Errorf("the sample's input.maxBytes %q: %w", raw, err)
	}
	body := func(size int64) string {
		const frame = `{"inputs": {"message": ""}}`
		return `{"inputs": {"message": "` + strings.Repeat("x", int(size)-len(frame)) + `"}}`
	}
	if _, err := e.Expect(ctx, http.StatusOK, http.MethodPost, echoPath, "demo", body(limit.Value())); err != nil {
		return "", fmt.Errorf("exactly the cap: %w", err)
	}
	if _, err := e.expectProblem(ctx, http.StatusRequestEntityTooLarge, "body_too_large", echoPath, "demo", body(limit.Value()+1)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes pass, one more is 413", limit.Value()), nil
}

func checkUnknownWorkflow(ctx context.Context, e *Env) (string, error) {
	_, err := e.expectProblem(ctx, http.StatusNotFound, "workflow_not_found", "/workflows/nothing/execute", "demo", echoBody)
	return "404", err
}

func checkHealth(ctx context.Context, e *Env) (string, error) {
	_, err := e.Expect(ctx, http.StatusOK, http.MethodGet, "/health", "", "")
	return "200 without a key", err
}

func checkRoute(ctx context.Context, e *Env) (string, error) {
	a, err := e.Expect(ctx, http.StatusOK, http.MethodPost, "/api/quote", "demo", strings.TrimSuffix(strings.TrimPrefix(quoteBody, `{"inputs": `), "}"))
	if err != nil {
		return "", err
	}
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || out["total"] != 20.0 {
		return "", fmt.Errorf("unexpected reply %s", a.body)
	}
	return "POST /api/quote answers with the output itself", nil
}

// spend sends requests as one client until every pod refuses, and reports how many
// passed and the last refusal.
func (e *Env) spend(ctx context.Context, client string, requests int) (allowed, refused int64, last Answer, elapsed time.Duration, err error) {
	var passed, limited atomic.Int64
	var mu sync.Mutex
	var failures []error
	var refusal Answer
	start := time.Now()
	work := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range work {
				a, err := e.do(ctx, http.MethodPost, echoPath, client, echoBody)
				switch {
				case err != nil:
				case a.Status == http.StatusOK:
					passed.Add(1)
					continue
				case a.Status == http.StatusTooManyRequests:
					limited.Add(1)
					mu.Lock()
					refusal = a
					mu.Unlock()
					continue
				default:
					err = fmt.Errorf("got %d: %s", a.Status, tail(string(a.body), 200))
				}
				mu.Lock()
				failures = append(failures, err)
				mu.Unlock()
			}
		})
	}
	for range requests {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	return passed.Load(), limited.Load(), refusal, time.Since(start), errors.Join(failures...)
}

// limitHolds spends the limit of a client and compares what passed with what GCRA
// allows over all pods: each pod lets its burst through, and its rate while the
// spending takes.
func (e *Env) limitHolds(ctx context.Context, client string, perMinute int64) (string, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return "", err
	}
	n := int64(len(pods))
	allowed, refused, last, elapsed, err := e.spend(ctx, client, int(perMinute*n*2))
	if err != nil {
		return "", err
	}
	least, most := perMinute*n, perMinute*n+int64(float64(perMinute*n)*elapsed.Minutes())+n
	if allowed < least || allowed > most {
		return "", fmt.Errorf("%d passed, want %d to %d (%d pods, %d a minute, %.1f s)", allowed, least, most, n, perMinute, elapsed.Seconds())
	}
	seconds, err := strconv.Atoi(last.header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return "", fmt.Errorf("Retry-After is %q", last.header.Get("Retry-After"))
	}
	if p, err := last.problem(); err != nil || p.Code != "rate_limited" {
		return "", fmt.Errorf("not a rate_limited problem: %s", last.body)
	}
	return fmt.Sprintf("%d passed and %d got 429 over %d pods (%d allowed by the limit), Retry-After: %d s", allowed, refused, n, most, seconds), nil
}

func checkRateLimit(ctx context.Context, e *Env) (string, error) {
	perMinute, err := e.perMinute(ctx)
	if err != nil {
		return "", err
	}
	return e.limitHolds(ctx, "flood", perMinute)
}

func (e *Env) perMinute(ctx context.Context) (int64, error) {
	raw, err := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, App, "-o", "jsonpath={.spec.rateLimit.requestsPerMinute}")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(raw, 10, 32)
}
