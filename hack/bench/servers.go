package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// apps are those of the benchmark, by name. Their limits are never reached, but for the
// workflow spent; those of the app flooded are the defaults.
var apps = map[string]string{
	"local":   "  replicas: 2\n  rateLimit: {requestsPerMinute: 1000000, burst: 1000000, authFailuresPerMinute: 1000000}",
	"shared":  "  redis: {urlSecretRef: {name: redis, key: url}}\n  rateLimit: {requestsPerMinute: 1000000, burst: 1000000, authFailuresPerMinute: 1000000}",
	"flooded": "  replicas: 2\n",
	"waiting": "  replicas: 2\n  limits: {maxConcurrentWorkflows: 10000, requestTimeoutSeconds: 3600}\n  rateLimit: {requestsPerMinute: 1000000, burst: 1000000}",
}

// manifest is an app with a workflow of one task, one whose task costs next to nothing, one
// of two tasks that compute, one that waits, and one whose bucket is spent.
func manifest(name, issuer string) string {
	return `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: bench, namespace: bench}
spec:
  environment: Production
  acknowledgedRisks: [{name: PerPodLimits, reason: benchmark}]
  auth:
    apiKeys: {secretRef: {name: keys}}
    jwt: [{issuer: "` + issuer + `", audiences: [bench]}]
  trust: {caBundle: {configMapRef: {name: ca, key: ca.crt}}}
` + apps[name] + `
  workflows:
  - name: bench
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: bench, version: 1.0.0}
      do:
      - reply: {set: {customer: "${ .customer }", items: "${ .items }"}}
  - name: idle
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: idle, version: 1.0.0}
      do:
      - reply: {set: {ok: true}}
  - name: two-tasks
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: two-tasks, version: 1.0.0}
      do:
      - price: {set: {customer: "${ .customer.id }", total: "${ [.items[] | .quantity * .unitPrice] | add }"}}
      - decide: {if: .total > 100, set: {customer: "${ .customer }", total: "${ .total * 0.9 }", discount: true}}
  - name: wait
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: wait, version: 1.0.0}
      do:
      - sleep: {wait: PT50M}
      - reply: {set: {ok: true}}
  - name: spent
    rateLimit: {requestsPerMinute: 1}
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: spent, version: 1.0.0}
      do:
      - reply: {set: {customer: "${ .customer }"}}
`
}

// servers are everything that the benchmark runs.
type servers struct {
	options
	folder string
	log    *os.File
	key    string
	// waitingKeys are those of the clients whose runs wait.
	waitingKeys []string
	signer      *tokens.Signer
	issuer      *tokens.Issuer
	redisAddr   string
	redis       *process
	baseline    *server
	nexus       map[string]*server
}

// server is a process that is measured, and its address.
type server struct {
	process *process
	address string
	admin   string
}

// prepare writes the Secrets and manifests, and starts what the apps depend on.
func (s *servers) prepare(ctx context.Context) error {
	made, err := auth.NewKey()
	if err != nil {
		return err
	}
	s.key, s.nexus = made.Key, map[string]*server{}
	s.signer = tokens.NewRSA("current")
	s.issuer = tokens.NewTLSIssuer(s.signer)
	if s.redisAddr, err = freeAddress(); err != nil {
		return err
	}
	host, port, _ := strings.Cut(s.redisAddr, ":")
	if s.redis, err = start(ctx, s.log, nil, "redis-server", "--bind", host, "--port", port, "--save", "", "--dir", s.folder); err != nil {
		return fmt.Errorf("%w: install redis-server", err)
	}
	files := map[string]string{
		"keys/bench": fmt.Sprintf(`{"id":%q,"sha256":%q,"roles":["buyer"]}`, made.ID, made.SHA256),
		"redis/url":  "redis://" + s.redisAddr,
		"ca/ca.crt":  string(s.issuer.CA()),
	}
	for i := range waitingClients {
		made, err := auth.NewKey()
		if err != nil {
			return err
		}
		s.waitingKeys = append(s.waitingKeys, made.Key)
		files[fmt.Sprintf("keys/waiting-%d", i)] = fmt.Sprintf(`{"id":%q,"sha256":%q}`, made.ID, made.SHA256)
	}
	for name := range apps {
		files[name+".yaml"] = manifest(name, s.issuer.URL)
	}
	for name, text := range files {
		path := filepath.Join(s.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// startNexus starts the runtime of an app and waits until it is ready.
func (s *servers) startNexus(ctx context.Context, app string) (*server, error) {
	var n server
	var err error
	if n.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if n.admin, err = freeAddress(); err != nil {
		return nil, err
	}
	n.process, err = start(ctx, s.log, []string{"GOMAXPROCS=1", "NEXUS_MEMORY_LIMIT_BYTES=536870912"}, s.options.nexus, "serve",
		"-f", filepath.Join(s.folder, app+".yaml"), "--secrets-dir", s.folder, "--configmaps-dir", s.folder,
		"--api-addr", n.address, "--mcp-addr", "127.0.0.1:0", "--admin-addr", n.admin)
	if err != nil {
		return nil, err
	}
	_, err = untilReady(ctx, "http://"+n.admin+"/readyz", time.Now())
	return &n, err
}

// startAll starts the baseline and every app.
func (s *servers) startAll(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p, err := start(ctx, s.log, []string{"GOMAXPROCS=1"}, s.options.baseline, "--addr", address)
	if err != nil {
		return err
	}
	s.baseline = &server{process: p, address: address}
	if _, err := untilReady(ctx, "http://"+address+"/health", time.Now()); err != nil {
		return err
	}
	for name := range apps {
		if s.nexus[name], err = s.startNexus(ctx, name); err != nil {
			return err
		}
		if err := untilMetric(ctx, s.nexus[name].admin, `nexus_jwks_keys{issuer="`+s.issuer.URL+`"} 1`); err != nil {
			return err
		}
	}
	return untilMetric(ctx, s.nexus["shared"].admin, "nexus_redis_up 1")
}

func (s *servers) stop() {
	for _, n := range s.nexus {
		n.process.stop()
	}
	if s.baseline != nil {
		s.baseline.process.stop()
	}
	if s.redis != nil {
		s.redis.stop()
	}
	if s.issuer != nil {
		s.issuer.Close()
	}
}
