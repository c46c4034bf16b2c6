package controllers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// withCluster lets pods of the cluster call an app.
func withCluster(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Auth.JWT = []v1alpha1.JWTIssuer{{
		Issuer: v1alpha1.KubernetesIssuer, Audiences: []string{"https://shop.example.com"},
		Subjects: []v1alpha1.JWTSubject{{Name: "system:serviceaccount:team-b:front", Roles: []string{"buyer"}}},
	}}
	return app
}

// documentOf is the document that the pods of an app are to enforce, as they load it.
func documentOf(t *testing.T, app *v1alpha1.NexusApp) config.Document {
	t.Helper()
	held := get(t, &corev1.ConfigMap{}, app.Namespace, configMapOf(t, app))
	document, err := config.Load([]byte(held.Data[desired.ConfigKey]), readBack(t, app).Status.PolicyHash)
	if err != nil {
		t.Fatalf("the runtime refuses the document: %v", err)
	}
	return document
}

// cluster answers for the paths of an API server. Its keys can be changed.
type fakeCluster struct {
	keys atomic.Pointer[string]
	err  error
}

func (c *fakeCluster) get(_ context.Context, path string) ([]byte, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case path == "/openid/v1/jwks":
		return []byte(*c.keys.Load()), nil
	default:
		return []byte(`{"issuer":"https://cluster.example.com"}`), nil
	}
}

func (c *fakeCluster) set(keys string) { c.keys.Store(&keys) }

const oneKey = `{"keys":[{"kty":"RSA","kid":"one","use":"sig","alg":"RS256","n":"xxxx","e":"AQAB"}]}`

func useCluster(c *fakeCluster) func(*Options) {
	return func(o *Options) { o.getPath = c.get }
}

// The real cluster's keys get into the document, with the operator's own permissions: the
// default binding that would grant them as well is taken away.
func TestClusterKeysAreThoseOfTheCluster(t *testing.T) {
	binding := get(t, &rbacv1.ClusterRoleBinding{}, "", "system:service-account-issuer-discovery")
	if err := k8s.Delete(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		again := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: binding.Name, Labels: binding.Labels}, RoleRef: binding.RoleRef, Subjects: binding.Subjects}
		if err := k8s.Create(context.Background(), again); err != nil {
			t.Error(err)
		}
	})
	o := startOperator(t, byHand)
	app := o.deployed(t, withCluster(production(namespace(t))))
	document := documentOf(t, app)
	admin, err := rest.HTTPClientFor(apiServer)
	if err != nil {
		t.Fatal(err)
	}
	read, err := getFromAPIServer(apiServer, admin)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := read(t.Context(), "/openid/v1/jwks")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sets(t, document.Cluster.Keys), sets(t, raw); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("the document holds the keys %v, the cluster has %v", got, want)
	}
	if !strings.HasPrefix(document.Cluster.Issuer, "https://") {
		t.Errorf("the issuer is %q", document.Cluster.Issuer)
	}
	// At rest, nothing is asked; and a look at the same keys is no change.
	o.reconcile(t, app)
	if asked := o.requests.matching(func(s string) bool { return strings.Contains(s, "openid") }); len(asked) > 0 {
		t.Errorf("a reconcile at rest asked for %v", asked)
	}
	if changed, err := o.cluster.refresh(t.Context()); changed || err != nil {
		t.Errorf("the same keys are a change: %v (%v)", changed, err)
	}
	o.stop()
	again := startOperator(t, byHand)
	if writes := again.reconcile(t, app); len(writes) > 0 {
		t.Errorf("after a restart, the same keys cause %v", writes)
	}
}

// sets are the keys of a JWK set by id and modulus.
func sets(t *testing.T, raw []byte) []string {
	t.Helper()
	var set struct {
		Keys []struct{ KID, N string } `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range set.Keys {
		out = append(out, k.KID+" "+k.N)
	}
	slices.Sort(out)
	return out
}

// New keys of the cluster are a new document of exactly the apps that use them: also of
// one whose newest generation, which does not, is refused.
func TestNewClusterKeysAreFollowed(t *testing.T) {
	cluster := &fakeCluster{}
	cluster.set(oneKey)
	o := startOperator(t, byHand, useCluster(cluster))
	uses := o.deployed(t, withCluster(production(namespace(t))))
	refused := o.deployed(t, withCluster(production(namespace(t))))
	o.change(t, refused, func(a *v1alpha1.NexusApp) { broken(a); a.Spec.Auth.JWT = nil })
	o.settle(t, refused)
	other := o.deployed(t, production(namespace(t)))

	cluster.set(strings.Replace(oneKey, "xxxx", "yyyy", 1))
	if changed, err := o.cluster.refresh(t.Context()); !changed || err != nil {
		t.Fatalf("new keys are a change: %v (%v)", changed, err)
	}
	found := o.appsOfCluster(t.Context())
	for app, want := range map[*v1alpha1.NexusApp]bool{uses: true, refused: true, other: false} {
		if got := slices.Contains(found, client.ObjectKeyFromObject(app)); got != want {
			t.Errorf("%s/%s would be reconciled: %v, want %v", app.Namespace, app.Name, got, want)
		}
		before := configMapOf(t, app)
		o.settle(t, app)
		if got := configMapOf(t, app) != before; got != want {
			t.Errorf("%s/%s has a new document: %v, want %v", app.Namespace, app.Name, got, want)
		}
	}
	if keys := string(documentOf(t, uses).Cluster.Keys); !strings.Contains(keys, "yyyy") {
		t.Errorf("the document holds the keys %s", keys)
	}
	if changed, err := o.cluster.refresh(t.Context()); changed || err != nil {
		t.Errorf("the same keys are a change: %v (%v)", changed, err)
	}
	// What cannot be fetched again stays.
	cluster.err = errors.New("unavailable")
	if changed, err := o.cluster.refresh(t.Context()); changed || err == nil {
		t.Errorf("no keys are a change: %v (%v)", changed, err)
	}
	if writes := o.reconcile(t, uses); len(writes) > 0 {
		t.Errorf("while the keys cannot be fetched again, %v is written", writes)
	}
}

// The same with the controller, which is told.
func TestNewClusterKeysAreFollowedByItself(t *testing.T) {
	cluster := &fakeCluster{}
	cluster.set(oneKey)
	o := startOperator(t, byWatches, useCluster(cluster))
	app := withCluster(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret), app)
	first := awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved).Status.PolicyHash
	cluster.set(strings.Replace(oneKey, "xxxx", "yyyy", 1))
	if err := o.refreshCluster(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, app, &v1alpha1.NexusAppList{}, "the document holds the new keys", func(a *v1alpha1.NexusApp) bool {
		return a.Status.PolicyHash != first
	})
}

func TestClusterKeysThatCannotBeFetched(t *testing.T) {
	cluster := &fakeCluster{err: errors.New("the server does not want to")}
	cluster.set(oneKey)
	o := startOperator(t, byHand, useCluster(cluster))
	app := withCluster(production(namespace(t)))
	o.create(t, app)
	o.settle(t, app)
	result, err := o.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(app)})
	if err != nil || result.RequeueAfter != lookAgainForKeys {
		t.Errorf("it is tried again after %v (%v)", result.RequeueAfter, err)
	}
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonClusterKeysUnavailable,
		"the server does not want to", "/openid/v1/jwks", `Secret "shop-api-keys" does not exist`, "nothing is deployed yet")
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
	// An app that does without is not held back.
	o.deployed(t, development(namespace(t)))

	cluster.err, o.cluster.tried = nil, time.Time{}
	create(t, apiKeys(app.Namespace, keysSecret))
	o.seesVersion(t, apiKeys(app.Namespace, keysSecret))
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	// A new operator that cannot fetch them leaves what is deployed alone.
	o.stop()
	cluster.err = errors.New("the server does not want to")
	o = startOperator(t, byHand, useCluster(cluster))
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
		t.Errorf("without the keys, %v is written", writes)
	}
	got = readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonClusterKeysUnavailable, "what is deployed keeps serving")
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved)
}

// A token for an audience of the API server is good for the API server: which audiences
// these are, only the cluster knows.
func TestAudienceOfThisAPIServerIsRefused(t *testing.T) {
	cluster := &fakeCluster{}
	cluster.set(oneKey)
	o := startOperator(t, byHand, useCluster(cluster))
	o.cluster.own = func() []string { return []string{"https://api.cluster.example.com"} }
	for _, audience := range []string{"https://cluster.example.com", "https://api.cluster.example.com"} {
		app := withCluster(production(namespace(t)))
		app.Spec.Auth.JWT[0].Audiences = append(app.Spec.Auth.JWT[0].Audiences, audience)
		create(t, apiKeys(app.Namespace, keysSecret))
		o.create(t, app)
		o.settle(t, app)
		expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec,
			"spec.auth.jwt[0].audiences", audience, "choose an audience of this app")
	}
}

// Two entries for one issuer would let whoever wrote the laxer one decide.
func TestClusterTwiceIsRefused(t *testing.T) {
	cluster := &fakeCluster{}
	cluster.set(oneKey)
	o := startOperator(t, byHand, useCluster(cluster))
	app := withCluster(production(namespace(t)))
	app.Spec.Auth.JWT = append(app.Spec.Auth.JWT, v1alpha1.JWTIssuer{Issuer: "https://cluster.example.com", Audiences: []string{"https://shop.example.com"}})
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec,
		"spec.auth.jwt[1].issuer", "keep one of the two")
}

func TestPublicKeys(t *testing.T) {
	const ec = `{"kty":"EC","kid":"b","crv":"P-256","x":"eA","y":"eQ","d":"do-not-tell","x5c":["..."]}`
	const rsa = `{"kty":"RSA","kid":"a","use":"sig","alg":"RS256","n":"bg","e":"AQAB","p":"do-not-tell"}`
	want := `{"keys":[{"kid":"a","kty":"RSA","use":"sig","alg":"RS256","n":"bg","e":"AQAB"},{"kid":"b","kty":"EC","crv":"P-256","x":"eA","y":"eQ"}]}`
	for name, c := range map[string]struct{ set, want string }{
		"in order":       {`{"keys":[` + rsa + `,` + ec + `]}`, want},
		"another order":  {`{"other":1,"keys":[` + ec + `,` + rsa + `]}`, want},
		"twice":          {`{"keys":[` + ec + `,` + rsa + `,` + ec + `]}`, want},
		"with a secret":  {`{"keys":[` + ec + `,{"kty":"oct","k":"do-not-tell"},` + rsa + `]}`, want},
		"only a secret":  {`{"keys":[{"kty":"oct","k":"do-not-tell"}]}`, ""},
		"no keys":        {`{}`, ""},
		"not a JWK set":  {`[]`, ""},
		"not even JSON":  {`do-not-tell`, ""},
		"empty document": {``, ""},
	} {
		got, err := publicKeys([]byte(c.set))
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s:\n got %s (%v)\nwant %s", name, got, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "do-not-tell") {
			t.Errorf("%s: the error tells a value: %v", name, err)
		}
	}
}

func TestTokenAudiences(t *testing.T) {
	token := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token(`{"aud":["from-file"]}`)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  rest.Config
		want []string
	}{
		"several":      {rest.Config{BearerToken: token(`{"aud":["a","b"]}`)}, []string{"a", "b"}},
		"one":          {rest.Config{BearerToken: token(`{"aud":"a"}`)}, []string{"a"}},
		"of a file":    {rest.Config{BearerToken: token(`{"aud":"old"}`), BearerTokenFile: file}, []string{"from-file"}},
		"a lost file":  {rest.Config{BearerToken: token(`{"aud":"a"}`), BearerTokenFile: file + "-"}, []string{"a"}},
		"none":         {rest.Config{BearerToken: token(`{}`)}, nil},
		"opaque":       {rest.Config{BearerToken: "opaque"}, nil},
		"not base64":   {rest.Config{BearerToken: "a.%.c"}, nil},
		"not JSON":     {rest.Config{BearerToken: token(`aud`)}, nil},
		"another type": {rest.Config{BearerToken: token(`{"aud":7}`)}, nil},
		"no token":     {rest.Config{}, nil},
	} {
		if got := tokenAudiences(&c.cfg); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
