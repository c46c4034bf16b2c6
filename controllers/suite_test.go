package controllers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

// These tests run against a real API server and etcd. There is no controller manager
// and no kubelet: the tests play them where they matter.

const (
	operatorNamespace = "nexus-system"
	operatorName      = "nexus-operator"
	runtimeImage      = "ghcr.io/nexus-operator/runtime:test"
	// longEnough bounds what is awaited; nothing depends on how long it really takes.
	longEnough = 60 * time.Second
)

var (
	apiServer *rest.Config
	// k8s is the test's own client: neither cached nor counted.
	k8s client.WithWatch
)

func TestMain(m *testing.M) { os.Exit(runSuite(m)) }

func runSuite(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "These tests need a Kubernetes API server: run 'make unit' or 'make test', which build one, or set KUBEBUILDER_ASSETS to a directory with kube-apiserver, etcd and kubectl.")
		return 1
	}
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		// The binaries may be loaded from a cold disk.
		ControlPlaneStartTimeout: 2 * time.Minute,
	}
	var err error
	if apiServer, err = env.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "Starting the API server: %v\n", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "Stopping the API server: %v\n", err)
		}
	}()
	apiServer.QPS = -1
	scheme, err := Scheme()
	if err == nil {
		k8s, err = client.NewWithWatch(apiServer, client.Options{Scheme: scheme})
	}
	if err == nil {
		err = k8s.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})
	}
	if err == nil {
		err = grantPermissions(context.Background())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "Preparing the API server: %v\n", err)
		return 1
	}
	return m.Run()
}

// grantPermissions creates the generated roles and binds them to the user that the
// operator of these tests is: what it does here it may do with nothing else.
func grantPermissions(ctx context.Context) error {
	raw, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	if err != nil {
		return err
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: operatorName}}
	for document := range strings.SplitSeq(string(raw), "---\n") {
		var role unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &role.Object); err != nil {
			return err
		}
		if len(role.Object) == 0 {
			continue
		}
		if err := k8s.Create(ctx, &role); err != nil {
			return err
		}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.GetKind(), Name: role.GetName()}
		at := metav1.ObjectMeta{Name: role.GetName(), Namespace: role.GetNamespace()}
		var binding client.Object = &rbacv1.ClusterRoleBinding{ObjectMeta: at, RoleRef: ref, Subjects: subjects}
		if at.Namespace != "" {
			binding = &rbacv1.RoleBinding{ObjectMeta: at, RoleRef: ref, Subjects: subjects}
		}
		if err := k8s.Create(ctx, binding); err != nil {
			return err
		}
	}
	return nil
}

// operator is a running operator, or one whose reconciles the test starts itself.
type operator struct {
	*Reconciler
	cache    cache.Cache
	requests *requests
	stop     func()
}

// mode says who starts reconciles.
type mode string

const (
	// byWatches: the controller runs, as in production.
	byWatches mode = "byWatches"
	// byHand: only the cache runs; the test calls reconcile.
	byHand mode = "byHand"
)

// startOperator starts an operator with a cache of its own, and stops it at the end of
// the test unless that was done before.
func startOperator(t *testing.T, m mode, adjust ...func(*Options)) *operator {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	recorded := &requests{}
	cfg := rest.CopyConfig(apiServer)
	cfg.Wrap(recorded.wrap)
	cfg.Impersonate.UserName = "system:serviceaccount:" + operatorNamespace + ":" + operatorName
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Cache: CacheOptions(), Client: ClientOptions(),
		Metrics:    server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	options := Options{RuntimeImage: runtimeImage, Namespace: operatorNamespace, PodIDs: desired.PodIDsFixed}
	for _, a := range adjust {
		a(&options)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := &operator{requests: recorded, cache: mgr.GetCache()}
	if m == byWatches {
		o.Reconciler, err = setup(ctx, mgr, options)
	} else if err = addIndexes(ctx, mgr.GetFieldIndexer()); err == nil {
		o.Reconciler, err = newReconciler(mgr, options)
	}
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Errorf("the manager stopped: %v", err)
		}
	})
	o.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(o.stop)
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the cache does not fill")
	}
	return o
}

// reconcile runs one reconcile and returns the writes it made.
func (o *operator) reconcile(t *testing.T, app client.Object) []string {
	t.Helper()
	writes, err := o.tryReconcile(t, app)
	if err != nil {
		t.Fatalf("reconciling: %v", err)
	}
	return writes
}

func (o *operator) tryReconcile(t *testing.T, app client.Object) ([]string, error) {
	t.Helper()
	o.requests.reset()
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	_, err := o.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(app)})
	return o.requests.writes(app.GetNamespace()), err
}

// settle reconciles until nothing is written any more.
func (o *operator) settle(t *testing.T, app client.Object) {
	t.Helper()
	for range 5 {
		if len(o.reconcile(t, app)) == 0 {
			return
		}
	}
	t.Fatalf("the app does not come to rest, the last reconcile wrote %v", o.requests.writes(app.GetNamespace()))
}

// sees waits until the operator's cache has an object as the API server has it, or, once
// it is deleted, no longer has it.
func (o *operator) sees(t *testing.T, object client.Object) {
	t.Helper()
	o.follows(t, object, func(cached, live client.Object) bool {
		return cached == nil && live == nil || cached != nil && live != nil && cached.GetResourceVersion() == live.GetResourceVersion()
	})
}

// seesGone waits until the operator's cache no longer has an object.
func (o *operator) seesGone(t *testing.T, object client.Object) {
	t.Helper()
	o.follows(t, object, func(cached, _ client.Object) bool { return cached == nil })
}

// follows waits until an object in the cache and on the API server, nil where it does
// not exist, are as wanted.
func (o *operator) follows(t *testing.T, object client.Object, want func(cached, live client.Object) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	informer, err := o.cache.GetInformer(ctx, object)
	if err != nil {
		t.Fatal(err)
	}
	key, seen := client.ObjectKeyFromObject(object), make(chan struct{})
	once := sync.OnceFunc(func() { close(seen) })
	check := func(any) {
		cached, live := object.DeepCopyObject().(client.Object), object.DeepCopyObject().(client.Object)
		if apierrors.IsNotFound(o.cache.Get(ctx, key, cached)) {
			cached = nil
		}
		if apierrors.IsNotFound(k8s.Get(ctx, key, live)) {
			live = nil
		}
		if want(cached, live) {
			once()
		}
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: check, UpdateFunc: func(_, now any) { check(now) }, DeleteFunc: check,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := informer.RemoveEventHandler(registration); err != nil {
			t.Error(err)
		}
	}()
	check(nil)
	select {
	case <-seen:
	case <-ctx.Done():
		t.Fatalf("the operator's cache does not follow %T %s", object, object.GetName())
	}
}

// requests records what is asked of the API server.
type requests struct {
	mu   sync.Mutex
	seen []string
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		r.mu.Lock()
		r.seen = append(r.seen, request.Method+" "+request.URL.Path)
		r.mu.Unlock()
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// writes are the writes to a namespace, without events.
func (r *requests) writes(namespace string) []string {
	return r.matching(func(s string) bool {
		return !strings.HasPrefix(s, "GET ") && strings.Contains(s, "/namespaces/"+namespace+"/") && !strings.Contains(s, "/events")
	})
}

func (r *requests) matching(want func(string) bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.seen), func(s string) bool { return !want(s) })
}

// await watches an object until it is as it should be, and returns it.
func await[T client.Object](t *testing.T, object T, list client.ObjectList, what string, want func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	w, err := k8s.Watch(ctx, list, client.InNamespace(object.GetNamespace()),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", object.GetName())})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var last T
	for event := range w.ResultChan() {
		got, ok := event.Object.(T)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		if last = got; want(got) {
			return got
		}
	}
	t.Fatalf("waited in vain until %s; last seen: %+v", what, last)
	return last
}

// namespace makes a namespace of its own for a test.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, ns)
	return ns.Name
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := k8s.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

func get[T client.Object](t *testing.T, object T, namespace, name string) T {
	t.Helper()
	if err := k8s.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatalf("getting %T %s: %v", object, name, err)
	}
	return object
}
