package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func checkPatchedLimit(ctx context.Context, e *Env) (string, error) {
	before, err := e.perMinute(ctx)
	if err != nil {
		return "", err
	}
	after := before / 2
	l := e.StartLoad(ctx)
	start := time.Now()
	_, err = e.RunKubectl(ctx, "patch", "nexusapp", "-n", Namespace, App, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"rateLimit":{"requestsPerMinute":%d}}}`, after))
	if err == nil {
		err = e.AwaitReady(ctx, 3*time.Minute)
	}
	took := time.Since(start)
	if err == nil {
		err = e.awaitOldPodsGone(ctx)
	}
	sent, failed := l.Stop()
	if err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	seen, err := e.limitHolds(ctx, "later", after)
	return fmt.Sprintf("%d → %d a minute, enforced after %.1f s, %d requests meanwhile and none failed; %s", before, after, took.Seconds(), sent, seen), err
}

// awaitOldPodsGone waits until the pods of an earlier document have ended: until
// then the drain can still be seen to lose a request.
func (e *Env) awaitOldPodsGone(ctx context.Context) error {
	hash, err := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, App, "-o", "jsonpath={.status.policyHash}")
	if err != nil {
		return err
	}
	_, err = e.RunKubectl(ctx, "wait", "pod", "-n", Namespace, "-l", podSelector+",nexus.dev/document!="+hash[:10], "--for=delete", "--timeout=120s")
	return err
}

// checkRotation gives one client a new key, removes the old, and counts the time
// until every pod refuses the old one.
func checkRotation(ctx context.Context, e *Env) (string, error) {
	var secret corev1.Secret
	if err := e.get(ctx, &secret, "secret", "-n", Namespace, KeySecret); err != nil {
		return "", err
	}
	old := e.keys["demo"]
	key, name, value, err := e.newKey(ctx, "demo", clients["demo"])
	if err != nil {
		return "", err
	}
	data := map[string]string{name: value}
	for entry, raw := range secret.Data {
		if !strings.HasPrefix(entry, "demo.") && entry != "demo" {
			data[entry] = string(raw)
		}
	}
	l := e.StartLoad(ctx)
	start := time.Now()
	if err := e.applySecret(ctx, KeySecret, data); err != nil {
		_, _ = l.Stop()
		return "", err
	}
	e.keys["demo"] = key
	err = Until(ctx, 90*time.Second, func(ctx context.Context) error { return e.refusedEverywhere(ctx, old) })
	took := time.Since(start)
	if err == nil {
		err = e.AwaitReady(ctx, 3*time.Minute)
	}
	sent, failed := l.Stop()
	if err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	if _, err := e.Expect(ctx, http.StatusOK, http.MethodPost, echoPath, "demo", echoBody); err != nil {
		return "", fmt.Errorf("the new key: %w", err)
	}
	return fmt.Sprintf("the old key was refused by every pod after %.1f s, the new one works, %d requests of others meanwhile and none failed", took.Seconds(), sent), nil
}

// refusedEverywhere asks often enough that a pod which still takes the key is met.
func (e *Env) refusedEverywhere(ctx context.Context, key string) error {
	for range 12 {
		a, err := e.doKey(ctx, http.MethodGet, "/workflows", key, "")
		if err != nil {
			return err
		}
		if a.Status != http.StatusUnauthorized && a.Status != http.StatusTooManyRequests {
			return fmt.Errorf("a pod still answers the old key with %d", a.Status)
		}
	}
	return nil
}

func checkDrift(ctx context.Context, e *Env) (string, error) {
	edit := `{"spec":{"template":{"spec":{"containers":[{"name":"runtime","securityContext":{"readOnlyRootFilesystem":false}}]}}}}`
	if _, err := e.RunKubectl(ctx, "patch", "deployment", "-n", Namespace, App, "--type=strategic", "-p", edit); err != nil {
		return "", err
	}
	start := time.Now()
	err := Until(ctx, 30*time.Second, func(ctx context.Context) error {
		got, err := e.RunKubectl(ctx, "get", "deployment", "-n", Namespace, App, "-o", "jsonpath={.spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem}")
		if err != nil {
			return err
		}
		if got != "true" {
			return fmt.Errorf("readOnlyRootFilesystem is %s", got)
		}
		return nil
	})
	took := time.Since(start)
	if err == nil {
		err = e.AwaitReady(ctx, 3*time.Minute)
	}
	return fmt.Sprintf("readOnlyRootFilesystem: false was put back after %.1f s", took.Seconds()), err
}

func checkMisspelt(ctx context.Context, e *Env) (string, error) {
	raw, err := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, App, "-o", "json")
	if err != nil {
		return "", err
	}
	var app map[string]any
	if err := json.Unmarshal([]byte(raw), &app); err != nil {
		return "", err
	}
	app["metadata"] = map[string]any{"name": "misspelt", "namespace": Namespace}
	app["spec"].(map[string]any)["rateLimits"] = map[string]any{"requestsPerMinute": 10}
	delete(app, "status")
	manifest, err := json.Marshal(app)
	if err != nil {
		return "", err
	}
	_, err = e.RunKubectlIn(ctx, string(manifest), "apply", "-f", "-")
	if err := failedWith(err, `unknown field "spec.rateLimits"`); err != nil {
		return "", err
	}
	return `unknown field "spec.rateLimits"`, nil
}
