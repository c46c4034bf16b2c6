package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	appsNamespace   = "bench"
	systemNamespace = "nexus-system"
	operatorUser    = "bench-operator"
)

// auditPolicy logs what the operator asks for, and nothing of anyone else.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: [` + operatorUser + `]
- level: None
`

// plane is an API server with the operator running against it.
type plane struct {
	env      *envtest.Environment
	client   client.WithWatch
	operator *process
	dir      string
}

// benchOperator counts what the operator asks of the API server, and what it uses
// itself, while a number of apps converge and while they are at rest. There is no
// kubelet: a stand-in gives each Deployment one ready pod.
func benchOperator(ctx context.Context, o options, log *os.File) ([]row, error) {
	dir, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p := &plane{dir: dir}
	defer p.stop()
	if err := p.start(ctx, o, log); err != nil {
		return nil, err
	}
	idle, err := p.snapshot()
	if err != nil {
		return nil, err
	}
	took, err := p.converge(ctx, o.apps)
	if err != nil {
		return nil, err
	}
	converged, err := p.snapshot()
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench: watching 30 s of rest")
	if err := pause(ctx, 30*time.Second); err != nil {
		return nil, err
	}
	rested, err := p.snapshot()
	if err != nil {
		return nil, err
	}
	return report(o.apps, took, idle, converged, rested), nil
}

// snapshot is what the operator has asked for and used so far.
type snapshot struct {
	requests
	cpu       time.Duration
	now, peak float64
}

func (p *plane) snapshot() (s snapshot, err error) {
	if s.requests, err = p.audit(); err != nil {
		return s, err
	}
	if s.cpu, err = p.operator.cpu(); err != nil {
		return s, err
	}
	s.now, s.peak, err = p.operator.memory()
	return s, err
}

// converge creates the apps, waits until all are Ready and the operator is at rest,
// and returns how long it took until they were Ready.
func (p *plane) converge(ctx context.Context, n int) (time.Duration, error) {
	began := time.Now()
	if err := p.createApps(ctx, n); err != nil {
		return 0, err
	}
	if err := p.awaitReady(ctx, n); err != nil {
		return 0, err
	}
	took := time.Since(began)
	fmt.Fprintln(os.Stderr, "bench: waiting until the operator is at rest")
	return took, p.settle(ctx)
}

func report(apps int, took time.Duration, idle, converged, rested snapshot) []row {
	objects := (converged.objects - idle.objects) / apps
	each := func(n int) string { return fmt.Sprintf("%.2f", float64(n)/float64(apps)) }
	for _, kind := range []string{"write", "read", "event"} {
		fmt.Fprintf(os.Stderr, "bench: %ss per app: %s\n", kind, converged.top(kind, apps))
	}
	return []row{
		{"operator: apps", fmt.Sprintf("%d, all Ready after %.1f s", apps, took.Seconds()), ""},
		{"operator: writes per app", fmt.Sprintf("%s for %d objects", each(converged.writes-idle.writes), objects), fmt.Sprintf("≤ %d", objects+3)},
		{"operator: events per app", each(converged.events - idle.events), ""},
		{"operator: reads per app", each(converged.reads - idle.reads), fmt.Sprintf("%d: one ownership read per object, one Secret", objects+1)},
		{"operator: writes in 30 s of rest, Lease apart", fmt.Sprint(rested.writes + rested.events - converged.writes - converged.events), "0"},
		{"operator: CPU per app to converge", fmt.Sprintf("%.1f ms", (converged.cpu-idle.cpu).Seconds()*1000/float64(apps)), "≤ 10 ms"},
		{"operator: CPU in 30 s of rest", fmt.Sprintf("%d ms", (rested.cpu - converged.cpu).Milliseconds()), ""},
		{"operator: memory", fmt.Sprintf("%.1f MiB RSS, peak %.1f, %.1f before the first app", rested.now, rested.peak, idle.now), "≤ 120 MiB at 1,000 apps"},
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (p *plane) stop() {
	if p.operator != nil {
		p.operator.stop()
	}
	if p.env != nil {
		_ = p.env.Stop()
	}
}

func (p *plane) start(ctx context.Context, o options, log *os.File) error {
	fmt.Fprintln(os.Stderr, "bench: starting an API server")
	policy := filepath.Join(p.dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	p.env = &envtest.Environment{BinaryAssetsDirectory: o.assets, CRDDirectoryPaths: []string{o.crds}, ErrorIfCRDPathMissing: true}
	p.env.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("audit-log-path", filepath.Join(p.dir, "audit.log")).
		Append("audit-log-mode", "blocking").
		// The default has room for 254 Services.
		Set("service-cluster-ip-range", "10.0.0.0/16")
	cfg, err := p.env.Start()
	if err != nil {
		return fmt.Errorf("starting the API server: %w", err)
	}
	cfg.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if p.client, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	for _, name := range []string{appsNamespace, systemNamespace} {
		if err := p.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	return p.startOperator(ctx, o, log)
}

func (p *plane) startOperator(ctx context.Context, o options, log *os.File) error {
	user, err := p.env.AddUser(envtest.User{Name: operatorUser, Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return err
	}
	path := filepath.Join(p.dir, "kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return err
	}
	health, err := freeAddress()
	if err != nil {
		return err
	}
	began := time.Now()
	p.operator, err = start(ctx, log, []string{"KUBECONFIG=" + path, "POD_NAMESPACE=" + systemNamespace}, o.manager,
		"--runtime-image=ghcr.io/nexus-operator/runtime:bench", "--leader-elect", "--metrics-bind-address=0", "--health-probe-bind-address="+health)
	if err != nil {
		return err
	}
	took, err := untilReady(ctx, "http://"+health+"/readyz", began)
	fmt.Fprintf(os.Stderr, "bench: the operator is ready after %.1f s\n", took.Seconds())
	return err
}

// fleetManifest is the app of which there are many.
const fleetManifest = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: bench, namespace: bench}
spec:
  environment: Production
  replicas: 2
  acknowledgedRisks: [{name: PerPodLimits, reason: benchmark}]
  auth: {apiKeys: {secretRef: {name: keys}}}
  workflows:
  - name: bench
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: bench, version: 1.0.0}
      do:
      - reply: {set: {customer: "${ .customer }", items: "${ .items }"}}
`

// createApps creates the Secret and the apps, and starts the stand-in for the
// kubelet and the built-in controllers.
func (p *plane) createApps(ctx context.Context, n int) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "keys", Namespace: appsNamespace},
		StringData: map[string]string{"bench": `{"id":"AAAAAAAA","sha256":"` + strings.Repeat("0", 64) + `"}`}}
	if err := p.client.Create(ctx, secret); err != nil {
		return err
	}
	var app v1alpha1.NexusApp
	if err := yaml.UnmarshalStrict([]byte(fleetManifest), &app); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: creating %d apps\n", n)
	for i := range n {
		one := app.DeepCopy()
		one.Name, one.Namespace = fmt.Sprintf("app-%04d", i), appsNamespace
		if err := p.client.Create(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady plays the kubelet for each Deployment until every app is Ready.
func (p *plane) awaitReady(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	w, err := p.client.Watch(ctx, &v1alpha1.NexusAppList{}, client.InNamespace(appsNamespace))
	if err != nil {
		return err
	}
	defer w.Stop()
	go p.playKubelet(ctx)
	ready := map[string]bool{}
	for event := range w.ResultChan() {
		app, ok := event.Object.(*v1alpha1.NexusApp)
		if !ok {
			return fmt.Errorf("watching the apps: %v", event.Object)
		}
		if meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) {
			ready[app.Name] = true
		}
		if len(ready) == n {
			return nil
		}
	}
	return fmt.Errorf("%d of %d apps became Ready: %w", len(ready), n, ctx.Err())
}

// settle waits until the operator has asked for nothing during 3 s.
func (p *plane) settle(ctx context.Context) error {
	last, err := p.audit()
	if err != nil {
		return err
	}
	for {
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
		now, err := p.audit()
		if err != nil || now.writes+now.reads == last.writes+last.reads {
			return err
		}
		last = now
	}
}

// requests counts what the operator asked for, by verb and resource.
type requests struct {
	writes, reads, events, objects int
	by                             map[string]int
}

func (r requests) top(kind string, apps int) string {
	var parts []string
	for _, key := range sortedKeys(r.by) {
		if name, ok := strings.CutPrefix(key, kind+" "); ok {
			parts = append(parts, fmt.Sprintf("%s %.2f", name, float64(r.by[key])/float64(apps)))
		}
	}
	return strings.Join(parts, ", ")
}

// audit reads the audit log: everything but watches, lists, and the Lease.
func (p *plane) audit() (requests, error) {
	raw, err := os.ReadFile(filepath.Join(p.dir, "audit.log"))
	if err != nil {
		return requests{}, err
	}
	r := requests{by: map[string]int{}}
	created := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		var event struct {
			Verb           string
			ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			return requests{}, fmt.Errorf("reading the audit log: %w", err)
		}
		ref := event.ObjectRef
		if ref.Resource == "leases" {
			continue
		}
		what := ref.Resource
		if ref.Subresource != "" {
			what += "/" + ref.Subresource
		}
		switch event.Verb {
		case "get":
			r.reads++
			r.by["read "+what]++
		case "create", "update", "patch", "delete", "deletecollection":
			if what == "events" {
				r.events++
				r.by["event "+what]++
				continue
			}
			r.writes++
			r.by["write "+what]++
			if event.ResponseStatus.Code == 201 {
				created[what+"/"+ref.Name] = true
			}
		}
	}
	r.objects = len(created)
	return r, nil
}
