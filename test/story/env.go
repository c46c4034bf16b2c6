// Package story is what a user of Nexus does on a real cluster, told once: the demo
// prints it line by line, the end-to-end test asserts it.
package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Names of what the story creates.
const (
	SystemNamespace = "nexus-system"
	Release         = "nexus-operator"
	Namespace       = "team-a"
	App             = "shop"
	KeySecret       = "shop-api-keys"
)

// Options say where the tools and the cluster are.
type Options struct {
	// Root is the top folder of the repository.
	Root string
	// Kubeconfig of the cluster.
	Kubeconfig string
	// Kubectl, Helm and Nexus are the executables.
	Kubectl, Helm, Nexus string
	// ManagerImage and RuntimeImage are images that the cluster's nodes have.
	ManagerImage, RuntimeImage string
	// ServicesImage is the image of test/services, that the nodes have.
	ServicesImage string
	// RedisImage is an image with redis-server and redis-cli that the nodes have or can
	// pull.
	RedisImage string
	// Via says how calls reach the pods: "service" dials the Service's address,
	// "apiserver" goes through the API server's proxy, "" chooses.
	Via string
	// Log receives one line per step of the set-up.
	Log func(format string, args ...any)
}

// Env is a cluster on which the story is told.
type Env struct {
	Options
	// keys holds one API key per client of the story.
	keys map[string]string
	call *caller
}

// Check is one line of the story.
type Check struct {
	// Name is what the check proves, in a few words.
	Name string
	// Run proves it and returns what was seen.
	Run func(ctx context.Context, e *Env) (string, error)
}

// New returns an Env for the cluster of the options.
func New(o Options) *Env { return &Env{Options: o, keys: map[string]string{}} }

// RunKubectl runs kubectl and returns its standard output. An error holds the standard
// error's last lines.
func (e *Env) RunKubectl(ctx context.Context, args ...string) (string, error) {
	return e.RunKubectlIn(ctx, "", args...)
}

// RunKubectlIn is RunKubectl with a standard input.
func (e *Env) RunKubectlIn(ctx context.Context, stdin string, args ...string) (string, error) {
	return e.run(ctx, stdin, e.Kubectl, args...)
}

func (e *Env) run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = e.Root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.Kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, tail(errs.String(), 2000))
	}
	return out.String(), nil
}

// failedWith returns nil when err says what was expected of something that must fail.
func failedWith(err error, want string) error {
	switch {
	case err == nil:
		return fmt.Errorf("it succeeded, where %q was expected", want)
	case !strings.Contains(err.Error(), want):
		return fmt.Errorf("it failed otherwise than with %q: %w", want, err)
	}
	return nil
}

func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// get decodes 'kubectl get ... -o json' into out.
func (e *Env) get(ctx context.Context, out any, args ...string) error {
	raw, err := e.RunKubectl(ctx, append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(raw), out)
}

// wait waits for a condition of the app with 'kubectl wait', as a user would.
func (e *Env) wait(ctx context.Context, condition string, timeout time.Duration) error {
	return e.waitFor(ctx, App, condition, timeout)
}

func (e *Env) waitFor(ctx context.Context, app, condition string, timeout time.Duration) error {
	_, err := e.RunKubectl(ctx, "wait", "-n", Namespace, "nexusapp/"+app, "--for="+condition, "--timeout="+timeout.String())
	if err != nil {
		why, _ := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, app, "-o", "jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{\"\\n\"}{end}")
		return fmt.Errorf("%w\nconditions:\n%s", err, why)
	}
	return nil
}

// AwaitReady waits until Ready speaks of the app's current generation and is True.
func (e *Env) AwaitReady(ctx context.Context, timeout time.Duration) error {
	generation, err := e.RunKubectl(ctx, "get", "nexusapp", "-n", Namespace, App, "-o", "jsonpath={.metadata.generation}")
	if err != nil {
		return err
	}
	if err := e.wait(ctx, "jsonpath={.status.observedGeneration}="+generation, timeout); err != nil {
		return err
	}
	return e.wait(ctx, "condition=Ready", timeout)
}

// Until calls probe until it returns nil, at most for the given time; it returns the
// last error then. It is for what no watch announces, such as an Answer over HTTP.
func Until(ctx context.Context, limit time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", limit, err)
		case <-tick.C:
		}
	}
}

// Answer is a reply of the app.
type Answer struct {
	Status int
	header http.Header
	body   []byte
}

// problem is an application/problem+json body.
type problem struct {
	Type, Title, Detail, Code, RequestID string
	Status                               int
}

func (a Answer) problem() (problem, error) {
	var p problem
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		return p, fmt.Errorf("want application/problem+json, got %q: %s", got, tail(string(a.body), 200))
	}
	return p, json.Unmarshal(a.body, &p)
}

// do sends one request to the app on a connection of its own, so that the Service
// spreads requests over the pods. client names whose API key to present; "" is none.
func (e *Env) do(ctx context.Context, method, path, client string, body string) (Answer, error) {
	key := ""
	if client != "" {
		key = e.keys[client]
		if key == "" {
			return Answer{}, fmt.Errorf("no key of client %q", client)
		}
	}
	return e.doKey(ctx, method, path, key, body)
}

func (e *Env) doKey(ctx context.Context, method, path, key string, body string) (Answer, error) {
	return e.call.do(ctx, method, path, key, body, nil)
}

// do sends one request with an API key, if there is one, and further headers.
func (c *caller) do(ctx context.Context, method, path, key, body string, header http.Header) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	maps.Copy(req.Header, header)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Answer{}, err
	}
	return Answer{Status: res.StatusCode, header: res.Header, body: raw}, nil
}

// Expect is do for a request whose status is known beforehand.
func (e *Env) Expect(ctx context.Context, status int, method, path, client, body string) (Answer, error) {
	a, err := e.do(ctx, method, path, client, body)
	if err != nil {
		return a, err
	}
	if a.Status != status {
		return a, fmt.Errorf("%s %s: want %d, got %d: %s", method, path, status, a.Status, tail(string(a.body), 300))
	}
	return a, nil
}

// expectProblem is Expect for a POST that is refused with a code.
func (e *Env) expectProblem(ctx context.Context, status int, code, path, client, body string) (Answer, error) {
	a, err := e.Expect(ctx, status, http.MethodPost, path, client, body)
	if err != nil {
		return a, err
	}
	p, err := a.problem()
	if err != nil {
		return a, err
	}
	if p.Code != code || p.Status != status {
		return a, fmt.Errorf("want code %s and status %d in the problem, got %s", code, status, tail(string(a.body), 300))
	}
	return a, nil
}
