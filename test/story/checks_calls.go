package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
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

// spent is what became of the requests of one client.
type spent struct {
	allowed, refused int64
	last             Answer // the last refusal
	elapsed          time.Duration
}

// spendTime is long enough to see that the rate holds, and not only the burst.
const spendTime = 5 * time.Second

// spend sends 200 requests a second as one client.
func (e *Env) spend(ctx context.Context, client string) (spent, error) {
	var s spent
	var failure error // the last one
	var mu sync.Mutex
	var wg sync.WaitGroup
	ticks := time.NewTicker(time.Second / 200)
	defer ticks.Stop()
	start := time.Now()
	for range 8 {
		wg.Go(func() {
			for time.Since(start) < spendTime {
				<-ticks.C
				a, err := e.do(ctx, http.MethodPost, echoPath, client, echoBody)
				mu.Lock()
				switch {
				case err != nil:
					failure = err
				case a.Status == http.StatusOK:
					s.allowed++
				case a.Status == http.StatusTooManyRequests:
					s.refused++
					s.last = a
				default:
					failure = fmt.Errorf("got %d: %s", a.Status, tail(string(a.body), 200))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.elapsed = time.Since(start)
	return s, failure
}

// limitHolds spends the limit of a client over all pods and compares what passed with
// what one bucket allows: its burst, and its rate while the spending took.
func (e *Env) limitHolds(ctx context.Context, client string, perMinute int64) (string, error) {
	before, err := e.metric(ctx, requestsMetric)
	if err != nil {
		return "", err
	}
	s, err := e.spend(ctx, client)
	if err != nil {
		return "", err
	}
	after, err := e.metric(ctx, requestsMetric)
	if err != nil {
		return "", err
	}
	served := 0
	for pod := range after {
		if after[pod] > before[pod] {
			served++
		}
	}
	if served < 2 {
		return "", fmt.Errorf("only %d of %d pods got requests", served, len(after))
	}
	want := perMinute + int64(float64(perMinute)*s.elapsed.Minutes())
	if s.allowed < want-1 || s.allowed > want+1 {
		return "", fmt.Errorf("%d passed, want %d ± 1 (%d a minute, %.1f s, %d pods)", s.allowed, want, perMinute, s.elapsed.Seconds(), served)
	}
	seconds, err := strconv.Atoi(s.last.header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		return "", fmt.Errorf("Retry-After is %q", s.last.header.Get("Retry-After"))
	}
	if p, err := s.last.problem(); err != nil || p.Code != "rate_limited" {
		return "", fmt.Errorf("not a rate_limited problem: %s", s.last.body)
	}
	return fmt.Sprintf("%d passed over %d pods where burst + rate × %.1f s is %d, and %d got 429, Retry-After: %d s",
		s.allowed, served, s.elapsed.Seconds(), want, s.refused, seconds), nil
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
