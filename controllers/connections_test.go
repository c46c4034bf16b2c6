package controllers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

const (
	redisSecretName = "shop-redis"
	tokensSecret    = "shop-tokens"
	redisURL        = "redis://shop:redis-password@redis.example.com:6380"
	hmacValue       = "hmac-value-0123456789abcdef0123456789abcdef"
)

// withRedis adds a Redis to an app.
func withRedis(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Redis = &v1alpha1.Redis{URLSecretRef: v1alpha1.SecretKeyReference{Name: redisSecretName, Key: "url"}}
	return app
}

// withHMAC adds an issuer of tokens with a shared secret to an app.
func withHMAC(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Auth.JWT = []v1alpha1.JWTIssuer{{
		Issuer: "https://id.example.com", Audiences: []string{"shop"},
		HMACSecretRef: &v1alpha1.SecretKeyReference{Name: tokensSecret, Key: "hmac"},
	}}
	return app
}

func secret(namespace, name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data}
}

func redisSecret(namespace string) *corev1.Secret {
	return secret(namespace, redisSecretName, map[string]string{"url": redisURL})
}

func certificatePEM(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestLateRedisSecretIsPickedUp(t *testing.T) {
	startOperator(t, byWatches)
	app := withRedis(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret), app)
	got := awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound,
		"spec.redis.urlSecretRef.name", `Secret "shop-redis" does not exist: create it with entry "url": rediss://USER:PASSWORD@HOST:PORT`)
	create(t, redisSecret(app.Namespace))
	got = awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	expect(t, got, v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "no pod is ready")
	if ports := egressPorts(t, app); !slices.Contains(ports, 6380) {
		t.Errorf("the pods may reach the ports %v, and not Redis's", ports)
	}
}

func egressPorts(t *testing.T, app *v1alpha1.NexusApp) []int32 {
	t.Helper()
	var ports []int32
	for _, rule := range get(t, &networkingv1.NetworkPolicy{}, app.Namespace, app.Name).Spec.Egress {
		for _, port := range rule.Ports {
			ports = append(ports, port.Port.IntVal)
		}
	}
	return ports
}

// The runtime takes over another Redis once it can use it: nothing rolls, the policy
// follows, and what can never work is refused.
func TestRotatedRedisSecretRollsNothing(t *testing.T) {
	o := startOperator(t, byHand)
	app := withRedis(production(namespace(t)))
	const caSecretName = "shop-redis-ca"
	app.Spec.Redis.CASecretRef = &v1alpha1.SecretKeyReference{Name: caSecretName, Key: "ca.crt"}
	create(t, secret(app.Namespace, redisSecretName, map[string]string{"url": "rediss://shop:first@redis.example.com:6380"}),
		secret(app.Namespace, caSecretName, map[string]string{"ca.crt": certificatePEM(t)}))
	o.deployed(t, app)
	before := deploymentOf(t, app).Spec.Template
	change := func(name, entry, value string) {
		t.Helper()
		s := get(t, &corev1.Secret{}, app.Namespace, name)
		s.Data[entry] = []byte(value)
		o.update(t, s)
		o.settle(t, app)
		if after := deploymentOf(t, app).Spec.Template; !equality.Semantic.DeepEqual(after, before) {
			t.Errorf("another entry %q of Secret %q rolls the pods", entry, name)
		}
	}
	change(redisSecretName, "url", "rediss://shop:second@redis.example.com:7000")
	change(caSecretName, "ca.crt", certificatePEM(t))
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if ports := egressPorts(t, app); !slices.Contains(ports, 7000) || slices.Contains(ports, 6380) {
		t.Errorf("the pods may reach the ports %v, and Redis listens at 7000", ports)
	}
	change(redisSecretName, "url", "redis://shop:do-not-tell@redis.example.com:6381")
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid,
		`spec.redis.urlSecretRef: entry "url" of Secret "shop-redis"`, "leave spec.redis.caSecretRef out")
	if ports := egressPorts(t, app); !slices.Contains(ports, 7000) {
		t.Errorf("the pods may reach the ports %v, and no longer the Redis that they use", ports)
	}
}

// The value of an entry that cannot be used is told by nobody; the entry is.
func TestInvalidEntriesAreNamed(t *testing.T) {
	o := startOperator(t, byHand)
	app := withHMAC(withRedis(production(namespace(t))))
	app.Spec.Redis.CASecretRef = &v1alpha1.SecretKeyReference{Name: tokensSecret, Key: "ca.crt"}
	app.Spec.Auth.JWT = append(app.Spec.Auth.JWT, v1alpha1.JWTIssuer{
		Issuer: "https://sso.example.com", Audiences: []string{"shop"},
		PublicKeySecretRef: &v1alpha1.SecretKeyReference{Name: tokensSecret, Key: "pub"},
	})
	create(t, apiKeys(app.Namespace, keysSecret),
		secret(app.Namespace, redisSecretName, map[string]string{"url": "do-not-tell"}),
		secret(app.Namespace, tokensSecret, map[string]string{"hmac": "do-not-tell", "pub": "do-not-tell"}))
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid,
		`spec.redis.urlSecretRef: entry "url" of Secret "shop-redis"`, `spec.redis.caSecretRef.key: Secret "shop-tokens" has no entry "ca.crt"`,
		`spec.auth.jwt[0].hmacSecretRef: entry "hmac" of Secret "shop-tokens"`, `spec.auth.jwt[1].publicKeySecretRef: entry "pub" of Secret "shop-tokens"`)
	expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretInvalid)
	for _, c := range got.Status.Conditions {
		if strings.Contains(c.Message, "do-not-tell") {
			t.Errorf("condition %s tells a value: %s", c.Type, c.Message)
		}
	}
}

// A rotated secret of an issuer rolls the pods, also while a newer generation is refused.
// At rest no Secret is read, and a changed one is read once.
func TestRotatedHMACSecretRolls(t *testing.T) {
	o := startOperator(t, byHand)
	app := withHMAC(withRedis(production(namespace(t))))
	tokens := secret(app.Namespace, tokensSecret, map[string]string{"hmac": hmacValue})
	create(t, redisSecret(app.Namespace), tokens)
	o.deployed(t, app)
	digest := func() string { return deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest] }
	rotate := func(value, what string) {
		t.Helper()
		before := digest()
		tokens = get(t, &corev1.Secret{}, app.Namespace, tokensSecret)
		tokens.Data["hmac"] = []byte(value)
		o.update(t, tokens)
		o.reconcile(t, app)
		if reads := o.requests.matching(readsOfSecrets(app.Namespace)); len(reads) != 1 {
			t.Errorf("%s: the Secrets were read as %v", what, reads)
		}
		if digest() == before {
			t.Errorf("%s: the pods do not roll", what)
		}
		o.settle(t, app)
		o.reconcile(t, app)
		if reads := o.requests.matching(readsOfSecrets(app.Namespace)); len(reads) > 0 {
			t.Errorf("%s: at rest the Secrets are read as %v", what, reads)
		}
	}
	rotate(hmacValue+"2", "in force")
	o.change(t, app, broken)
	o.settle(t, app)
	rotate(hmacValue+"3", "while a generation is refused")
	if strings.Contains(deploymentOf(t, app).Annotations[v1alpha1.AnnotationSecrets], "hmac-value") {
		t.Error("the record tells a value")
	}

	// A value that cannot be used rolls nothing, and is read once, although both the current
	// spec and the one in force name it.
	tokens.Data["hmac"] = []byte("short")
	o.update(t, tokens)
	before := digest()
	o.reconcile(t, app)
	if reads := o.requests.matching(readsOfSecrets(app.Namespace)); len(reads) != 1 {
		t.Errorf("an unusable Secret was read as %v", reads)
	}
	if digest() != before {
		t.Error("an unusable Secret rolls the pods")
	}
}

func readsOfSecrets(namespace string) func(string) bool {
	return func(s string) bool { return strings.HasPrefix(s, "GET /api/v1/namespaces/"+namespace+"/secrets/") }
}

// An entry that the spec begins to name is checked although its Secret has not changed.
func TestNewlyNamedEntryIsChecked(t *testing.T) {
	o := startOperator(t, byHand)
	app := withHMAC(production(namespace(t)))
	create(t, secret(app.Namespace, tokensSecret, map[string]string{"hmac": hmacValue, "short": "do-not-tell"}))
	o.deployed(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Auth.JWT[0].HMACSecretRef.Key = "short" })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid, `entry "short"`, "(generation 1 stays in force)")
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Auth.JWT[0].HMACSecretRef.Key = "hmac" })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
}

// Another entry of an unchanged Secret rolls nothing by its digest, although the key of
// the digests is another one by then.
func TestDigestOfAnUnchangedSecretStands(t *testing.T) {
	o := startOperator(t, byHand)
	app := withHMAC(production(namespace(t)))
	create(t, secret(app.Namespace, tokensSecret, map[string]string{"hmac": hmacValue, "other": hmacValue}))
	o.deployed(t, app)
	before := deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest]
	o.stop()
	if err := k8s.Delete(t.Context(), get(t, &corev1.Secret{}, operatorNamespace, refs.DigestKeySecret)); err != nil {
		t.Fatal(err)
	}
	again := startOperator(t, byHand)
	again.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Auth.JWT[0].HMACSecretRef.Key = "other" })
	again.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	if after := deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest]; after != before {
		t.Error("the digest of an unchanged Secret is another one")
	}
}

// The authorities have to be there; what they are is the runtime's to follow.
func TestTrustBundle(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	app.Spec.Trust.CABundle = &v1alpha1.CABundle{ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: "corp-ca", Key: "ca.crt"}}
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	unresolved := func(reason string, texts ...string) {
		t.Helper()
		o.settle(t, app)
		got := readBack(t, app)
		expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, reason, texts...)
		expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
	}
	unresolved(v1alpha1.ReasonConfigMapNotFound, "spec.trust.caBundle.configMapRef.name", `ConfigMap "corp-ca" does not exist`)
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "corp-ca"}, Data: map[string]string{"other": ""}}
	create(t, bundle)
	unresolved(v1alpha1.ReasonConfigMapInvalid, "spec.trust.caBundle.configMapRef.key", `no entry "ca.crt"`)
	bundle.Data["ca.crt"] = "none"
	updateLive(t, bundle)
	unresolved(v1alpha1.ReasonConfigMapInvalid, `entry "ca.crt" of ConfigMap "corp-ca"`, "no PEM certificate")
	bundle.Data["ca.crt"] = certificatePEM(t)
	updateLive(t, bundle)
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	bundle.Data["ca.crt"] = certificatePEM(t)
	updateLive(t, bundle)
	if writes := o.reconcile(t, app); len(writes) > 0 {
		t.Errorf("new authorities cause %v", writes)
	}
	if err := k8s.Delete(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound, "what is deployed keeps serving")
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
}

func updateLive(t *testing.T, object client.Object) {
	t.Helper()
	if err := k8s.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// The authorities are followed without a kick.
func TestLateTrustBundleIsPickedUp(t *testing.T) {
	startOperator(t, byWatches)
	app := production(namespace(t))
	app.Spec.Trust.CABundle = &v1alpha1.CABundle{ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: "corp-ca", Key: "ca.crt"}}
	create(t, apiKeys(app.Namespace, keysSecret), app)
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound)
	create(t, configMap(app.Namespace, "corp-ca", "ca.crt", certificatePEM(t)))
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
}

// What the pods mount is what is looked at before they start.
func TestEveryMountedSecretIsResolved(t *testing.T) {
	app := withSecrets(withHMAC(withRedis(production("team-a"))))
	app.Spec.Redis.CASecretRef = &v1alpha1.SecretKeyReference{Name: "shop-ca", Key: "ca.crt"}
	app.Spec.Auth.JWT = append(app.Spec.Auth.JWT, v1alpha1.JWTIssuer{PublicKeySecretRef: &v1alpha1.SecretKeyReference{Name: "shop-sso", Key: "pub"}})
	mounted := desired.MountedSecrets(&app.Spec)
	slices.Sort(mounted)
	if resolved := refs.SecretNames(&app.Spec); !slices.Equal(mounted, resolved) {
		t.Errorf("the pods mount %v, and %v are resolved", mounted, resolved)
	}
}
