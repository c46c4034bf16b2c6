package story

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Names of the app whose workflow calls others, and of what it calls.
const (
	quotesApp    = "quotes"
	servicesApp  = "services"
	servicesHost = servicesApp + "." + Namespace + ".svc"
	orderBody    = `{"inputs": {"customerId": "%s", "items": [{"sku": "%s", "qty": 2}, {"sku": "%s", "qty": 1}]}%s}`
)

//go:embed services.yaml
var servicesManifest string

// deployServices runs the services that the sample quotes calls, with a certificate and a
// token made for this cluster.
func (e *Env) deployServices(ctx context.Context) error {
	cert, err := newCertificate(servicesHost)
	if err != nil {
		return err
	}
	token := rand.Text()
	for name, data := range map[string]map[string]string{
		servicesApp:     {"tls.crt": cert.certificate, "tls.key": cert.key, "token": token},
		"pricing-token": {"token": token},
	} {
		if err := e.applySecret(ctx, name, data); err != nil {
			return err
		}
	}
	trust, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "services-ca"}, "data": map[string]string{"ca.crt": cert.authority},
	})
	if err != nil {
		return err
	}
	manifest := strings.ReplaceAll(servicesManifest, "SERVICES_IMAGE", e.ServicesImage)
	for _, text := range []string{string(trust), manifest} {
		if _, err := e.RunKubectlIn(ctx, text, "apply", "-n", Namespace, "-f", "-"); err != nil {
			return err
		}
	}
	// Pods of an earlier demo have another certificate and token.
	if _, err := e.RunKubectl(ctx, "rollout", "restart", "-n", Namespace, "deployment/"+servicesApp); err != nil {
		return err
	}
	return e.awaitRollout(ctx, servicesApp)
}

// startQuotes applies the sample whose workflow calls others, and waits until it is Ready.
func (e *Env) startQuotes(ctx context.Context) error {
	if err := e.deployServices(ctx); err != nil {
		return err
	}
	if _, err := e.RunKubectl(ctx, "apply", "-n", Namespace, "-f", "config/samples/quotes.yaml"); err != nil {
		return err
	}
	return e.waitFor(ctx, quotesApp, "condition=Ready", 3*time.Minute)
}

// workflowRun is the envelope of a run, or of an execution.
type workflowRun struct {
	Outputs map[string]any `json:"outputs"`
	RunID   string         `json:"run_id"`
	Status  any            `json:"status"` // the number of a problem, else a word
	Code    string         `json:"code"`
	Error   struct {
		Type     string `json:"type"`
		Status   int    `json:"status"`
		Instance string `json:"instance"`
	} `json:"error"`
}

// quotes calls the app quotes and reads what comes back.
func (e *Env) quotes(ctx context.Context, method, path, body string, header http.Header) (Answer, workflowRun, error) {
	var reply workflowRun
	call, err := e.newCaller(ctx, quotesApp, portAPI)
	if err != nil {
		return Answer{}, reply, err
	}
	a, err := call.do(ctx, method, path, e.keys["demo"], body, header)
	if err != nil {
		return Answer{}, reply, err
	}
	if err := json.Unmarshal(a.body, &reply); err != nil {
		return a, reply, fmt.Errorf("%d with %s: %w", a.Status, a.body, err)
	}
	return a, reply, nil
}

const quotesExecute = "/workflows/quote-order/execute"

// checkCallsOthers runs the workflow through services, an MCP server and the sink.
func checkCallsOthers(ctx context.Context, e *Env) (string, error) {
	if err := e.startQuotes(ctx); err != nil {
		return "", err
	}
	// Articles that nobody asked for before are answered with 503 first.
	a, quoted, err := e.quotes(ctx, http.MethodPost, quotesExecute, fmt.Sprintf(orderBody, "c-1", "NEW-"+rand.Text()[:4], "ABC", ""), nil)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusOK || quoted.Outputs["total"] != 190.0 || quoted.Outputs["risk"] != "low" {
		return "", fmt.Errorf("%d with %s, where a total of 190 at a low risk was expected", a.Status, a.body)
	}
	events, err := e.RunKubectl(ctx, "get", "--raw", "/api/v1/namespaces/"+Namespace+"/services/http:"+servicesApp+":http/proxy/events")
	if err != nil {
		return "", err
	}
	if !strings.Contains(events, `"com.example.order.quoted.v1"`) || !strings.Contains(events, `"total":190`) {
		return "", fmt.Errorf("the sink has %s", events)
	}
	a, refused, err := e.quotes(ctx, http.MethodPost, quotesExecute, fmt.Sprintf(orderBody, "risky-7", "ABC", "DEFG", ""), nil)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusUnprocessableEntity || refused.Code != "workflow_failed" || refused.Error.Instance != "/do/3/reject" {
		return "", fmt.Errorf("%d with %s, where the workflow's own error was expected", a.Status, a.body)
	}
	return "price list (TLS, token, tried again after its 503), stock, MCP server and event sink: total 190; the risky customer got the workflow's own 422", nil
}

// checkAsync starts an execution on one pod and asks for it until every pod has answered.
func checkAsync(ctx context.Context, e *Env) (string, error) {
	a, started, err := e.quotes(ctx, http.MethodPost, quotesExecute, fmt.Sprintf(orderBody, "c-2", "ABC", "ABC", `, "mode": "async"`), nil)
	if err != nil {
		return "", err
	}
	location := a.header.Get("Location")
	if a.Status != http.StatusAccepted || location != "/executions/"+started.RunID {
		return "", fmt.Errorf("%d, Location %q, with %s", a.Status, location, a.body)
	}
	err = Until(ctx, 30*time.Second, func(ctx context.Context) error {
		_, now, err := e.quotes(ctx, http.MethodGet, location, "", nil)
		if err == nil && now.Status != "completed" {
			err = fmt.Errorf("the execution is %s", now.Status)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	// The Service chooses a pod for each request: all of them answer the same.
	const asked = 20
	for range asked {
		a, again, err := e.quotes(ctx, http.MethodGet, location, "", nil)
		if err != nil || a.Status != http.StatusOK || again.Outputs["total"] != 90.0 {
			return "", fmt.Errorf("%d with %s: %w", a.Status, a.body, err)
		}
	}
	call, err := e.newCaller(ctx, quotesApp, portAPI)
	if err != nil {
		return "", err
	}
	if a, err = call.do(ctx, http.MethodGet, location, e.keys["flood"], "", nil); err != nil {
		return "", err
	}
	if a.Status != http.StatusNotFound {
		return "", fmt.Errorf("another client got %d", a.Status)
	}
	return fmt.Sprintf("202, then its result from whichever pod was asked, %d times; 404 for another client", asked), nil
}

// checkIdempotency sends the same call twice with one key, and another call with it.
func checkIdempotency(ctx context.Context, e *Env) (string, error) {
	header := http.Header{"Idempotency-Key": {rand.Text()}}
	body := fmt.Sprintf(orderBody, "c-3", "ABC", "ABCD", "")
	first, one, err := e.quotes(ctx, http.MethodPost, quotesExecute, body, header)
	if err != nil {
		return "", err
	}
	second, two, err := e.quotes(ctx, http.MethodPost, quotesExecute, body, header)
	if err != nil {
		return "", err
	}
	if one.RunID == "" || one.RunID != two.RunID || !bytes.Equal(first.body, second.body) || second.header.Get("Idempotency-Replayed") != "true" {
		return "", fmt.Errorf("the first call got %s, the second %s", first.body, second.body)
	}
	third, _, err := e.quotes(ctx, http.MethodPost, quotesExecute, fmt.Sprintf(orderBody, "c-4", "ABC", "ABC", ""), header)
	if err != nil {
		return "", err
	}
	if third.Status != http.StatusUnprocessableEntity {
		return "", fmt.Errorf("another call with the same key got %d", third.Status)
	}
	return "the second call got the first one's answer, another call with the key 422", nil
}

// checkEgress applies an app whose workflow calls a host that is not allowed.
func checkEgress(ctx context.Context, e *Env) (string, error) {
	const name = "strays"
	manifest := `{"apiVersion":"nexus.dev/v1alpha1","kind":"NexusApp","metadata":{"name":"` + name + `"},"spec":{"environment":"Development","egress":{"allow":["pricing.team-a.svc:443"]},
"workflows":[{"name":"stray","definition":{"document":{"dsl":"1.0.3","namespace":"team-a","name":"stray","version":"1.0.0"},
"do":[{"fetch":{"call":"http","with":{"method":"get","endpoint":"https://elsewhere.example.com/x"}}},{"run":{"run":{"shell":{"command":"id"}}}}]}}]}}`
	if _, err := e.RunKubectlIn(ctx, manifest, "apply", "-n", Namespace, "-f", "-"); err != nil {
		return "", err
	}
	err := e.waitFor(ctx, name, "condition=Accepted=False", time.Minute)
	var message string
	if err == nil {
		message, err = e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, name, "-o", `jsonpath={.status.conditions[?(@.type=="Accepted")].message}`)
	}
	if _, deleted := e.RunKubectl(ctx, "delete", "nexusapp", "-n", Namespace, name); err == nil {
		err = deleted
	}
	if err != nil {
		return "", err
	}
	for _, want := range []string{"definition/do/0/fetch/with/endpoint: elsewhere.example.com:443 is not in spec.egress.allow", "definition/do/1/run/run/shell"} {
		if !strings.Contains(message, want) {
			return "", fmt.Errorf("Accepted=False says %q, and not %q", message, want)
		}
	}
	return "Accepted=False names the host and the shell command, each with its JSON pointer", nil
}
