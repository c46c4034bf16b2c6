package controllers

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

// No pod is ever started without a credential, and a Secret that appears late is picked
// up without a kick.
func TestLateSecretIsPickedUp(t *testing.T) {
	o := startOperator(t, byWatches)
	app := production(namespace(t))
	create(t, app)
	got := awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound,
		"spec.auth.apiKeys.secretRef.name", `Secret "shop-api-keys" does not exist`, "nexus keys new", "nothing is deployed yet")
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonNotDeployed)
	if got.Status.Endpoints.API != "" || got.Status.PolicyHash != "" {
		t.Errorf("the status tells of what does not exist: %+v", got.Status)
	}
	for _, list := range ownedLists() {
		if err := k8s.List(t.Context(), list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
			t.Fatal(err)
		}
		if items := itemsOf(t, list); len(items) > 0 {
			t.Errorf("without its Secret the app has %T %s", items[0], items[0].GetName())
		}
	}
	create(t, apiKeys(app.Namespace, keysSecret))
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	o.rollOut(t, app)
	awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestInvalidSecretNamesTheEntry(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	secret := apiKeys(app.Namespace, keysSecret)
	const value = "nxs_abcd1234_do-not-tell"
	secret.Data = map[string][]byte{"web.2": []byte(value), "web.1": []byte(`{"id":"short","sha256":"00"}`)}
	create(t, secret)
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid,
		"spec.auth.apiKeys.secretRef.name", `entry "web.1": id`, `entry "web.2": not the JSON`, "nexus keys new")
	expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretInvalid)
	for _, c := range got.Status.Conditions {
		if strings.Contains(c.Message, "do-not-tell") {
			t.Errorf("condition %s tells a value: %s", c.Type, c.Message)
		}
	}

	// One usable entry is enough; the broken ones are still named, also when the Secret
	// is not read again.
	secret.Data["app"] = keyEntry("second")
	o.update(t, secret)
	o.settle(t, app)
	o.reconcile(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, "web.1, web.2")
}

// A rotated Secret rolls the pods; one that breaks or disappears leaves them alone.
func TestRotationRollsAndLossDoesNot(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	digest := func() string { return deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest] }
	first := digest()
	if first == "" {
		t.Fatal("the pod template has no digest")
	}

	secret := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	secret.Data["web"] = keyEntry("second")
	o.update(t, secret)
	o.settle(t, app)
	second := digest()
	if second == first {
		t.Error("a rotated Secret rolls nothing")
	}

	secret.Annotations = map[string]string{"note": "the contents stay"}
	o.update(t, secret)
	o.settle(t, app)
	if digest() != second {
		t.Error("an annotation of the Secret rolls the pods")
	}

	secret.Data = map[string][]byte{"web": []byte("broken")}
	o.update(t, secret)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid, "what is deployed keeps serving, but a pod that is replaced meanwhile cannot start")
	if digest() != second {
		t.Error("a broken Secret rolls the pods")
	}

	if err := k8s.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	o.seesVersion(t, secret)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	if digest() != second {
		t.Error("a lost Secret rolls the pods")
	}
	// Drift is corrected meanwhile.
	o.scaleByHand(t, app, 9)
	o.settle(t, app)
	if replicas := *deploymentOf(t, app).Spec.Replicas; replicas != 3 {
		t.Errorf("while a Secret is missing, drift stands: %d replicas", replicas)
	}
	// A change waits.
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 500 })
	before := configMapOf(t, app)
	o.settle(t, app)
	if configMapOf(t, app) != before {
		t.Error("a change went into force although its Secret is missing")
	}
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound, "generation 1 stays in force, but a pod that is replaced meanwhile cannot start")
}

// The contents stay in the cluster's Secrets: a new key for the digests rolls nothing.
func TestNewDigestKeyRollsNothing(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	before := deploymentOf(t, app)
	o.stop()
	key := get(t, &corev1.Secret{}, operatorNamespace, refs.DigestKeySecret)
	if err := k8s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	again := startOperator(t, byHand)
	if writes := again.reconcile(t, app); len(writes) > 0 {
		t.Errorf("a new digest key causes %v", writes)
	}
	// The next rotation uses the new key, which is made then.
	secret := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	secret.Data["web"] = keyEntry("second")
	again.update(t, secret)
	again.settle(t, app)
	if after := deploymentOf(t, app); after.Generation == before.Generation {
		t.Error("a rotation after the key was lost rolls nothing")
	}
	if made := get(t, &corev1.Secret{}, operatorNamespace, refs.DigestKeySecret); made.UID == key.UID || len(made.Data["key"]) < 32 {
		t.Errorf("the key was not made again: %v", made.ObjectMeta)
	}
}

// A pull Secret has to exist, and is never read.
func TestPullSecretHasToExist(t *testing.T) {
	o := startOperator(t, byHand)
	app := development(namespace(t))
	app.Spec.ImagePullSecrets = []v1alpha1.LocalReference{{Name: "registry"}}
	o.create(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound, "spec.imagePullSecrets[0].name", `"registry"`)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "registry"}}
	create(t, secret)
	o.seesVersion(t, secret)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	var d appsv1.Deployment
	if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(app), &d); apierrors.IsNotFound(err) {
		t.Error("nothing is deployed although the pull Secret exists")
	}
}

// No Secret's value is kept in memory.
func TestCacheHoldsNoSecret(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := o.cache.Get(t.Context(), client.ObjectKey{Namespace: app.Namespace, Name: keysSecret}, &meta); err != nil {
		t.Fatal(err)
	}
	if len(meta.Annotations)+len(meta.Labels)+len(meta.ManagedFields) > 0 {
		t.Errorf("more than the version is kept: %+v", meta)
	}
	watched := o.requests.matching(func(s string) bool { return s == "GET /api/v1/secrets" })
	if len(watched) > 2 { // a list and a watch of metadata, from the informer that the test looked at
		t.Errorf("Secrets are watched more than once: %v", watched)
	}
}

// update writes a Secret, and waits until the operator knows of its version.
func (o *operator) update(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	if err := k8s.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	o.seesVersion(t, secret)
}

// seesVersion is sees for Secrets, of which the operator watches metadata only.
func (o *operator) seesVersion(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name}}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	o.sees(t, meta)
}

// scaleByHand does what kubectl scale does.
func (o *operator) scaleByHand(t *testing.T, app *v1alpha1.NexusApp, replicas int32) {
	t.Helper()
	d := deploymentOf(t, app)
	if err := k8s.Patch(t.Context(), d, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":`+itoa(replicas)+`}}`)), client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
	o.sees(t, d)
}
