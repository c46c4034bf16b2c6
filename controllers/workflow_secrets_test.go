package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

const (
	pricingSecret = "shop-pricing"
	loginSecret   = "shop-login"
)

// withSecrets adds what workflows use to an app: an entry, and a whole Secret.
func withSecrets(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Secrets = []v1alpha1.WorkflowSecret{
		{Name: "pricing", SecretRef: v1alpha1.WorkflowSecretReference{Name: pricingSecret, Key: "token"}},
		{Name: "login", SecretRef: v1alpha1.WorkflowSecretReference{Name: loginSecret}},
	}
	return app
}

// mountsOf are the paths at which the pods mount Secrets, by Secret.
func mountsOf(t *testing.T, app *v1alpha1.NexusApp) map[string]string {
	t.Helper()
	pod := deploymentOf(t, app).Spec.Template.Spec
	out := map[string]string{}
	for _, v := range pod.Volumes {
		for _, m := range pod.Containers[0].VolumeMounts {
			if v.Secret != nil && m.Name == v.Name && m.ReadOnly && !*v.Secret.Optional {
				out[v.Secret.SecretName] = m.MountPath
			}
		}
	}
	return out
}

func TestWorkflowSecrets(t *testing.T) {
	o := startOperator(t, byHand)
	app := withSecrets(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound,
		`spec.secrets[0].secretRef.name: Secret "shop-pricing" does not exist: create it with entry "token": the secret that workflows use, as text`,
		`spec.secrets[1].secretRef.name: Secret "shop-login" does not exist: create it with the entries that workflows use`)
	checkDeployed(t, app, false)

	create(t, secret(app.Namespace, pricingSecret, map[string]string{"other": "do-not-tell"}), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: loginSecret}, Data: map[string][]byte{"username": []byte("do-not-tell"), "password": {0xff, 0xfe}}})
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretInvalid,
		`spec.secrets[0].secretRef.key: Secret "shop-pricing" has no entry "token": add it`,
		`spec.secrets[1].secretRef: entry "password" of Secret "shop-login": is not text in UTF-8`)
	for _, c := range got.Status.Conditions {
		if strings.Contains(c.Message, "do-not-tell") {
			t.Errorf("condition %s tells a value: %s", c.Type, c.Message)
		}
	}

	change := func(name, entry, value string) (reads []string) {
		t.Helper()
		s := get(t, &corev1.Secret{}, app.Namespace, name)
		s.Data[entry] = []byte(value)
		o.update(t, s)
		o.reconcile(t, app)
		reads = o.requests.matching(readsOfSecrets(app.Namespace))
		o.settle(t, app)
		return reads
	}
	change(pricingSecret, "token", "first")
	change(loginSecret, "password", "first")
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	mounts := mountsOf(t, app)
	for _, name := range []string{pricingSecret, loginSecret, keysSecret} {
		if mounts[name] != desired.SecretsRoot+"/"+name {
			t.Errorf("Secret %s is mounted at %q", name, mounts[name])
		}
	}

	for _, name := range []string{pricingSecret, loginSecret} {
		before := deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest]
		if reads := change(name, "more", "second"); len(reads) != 1 {
			t.Errorf("the Secrets were read as %v", reads)
		}
		if deploymentOf(t, app).Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest] == before {
			t.Errorf("new contents of Secret %s roll nothing", name)
		}
	}
	if writes := o.reconcile(t, app); len(writes) > 0 {
		t.Errorf("at rest there are the writes %v", writes)
	}
	if reads := o.requests.matching(readsOfSecrets(app.Namespace)); len(reads) > 0 {
		t.Errorf("at rest the Secrets are read as %v", reads)
	}
}

func TestLateWorkflowSecretIsPickedUp(t *testing.T) {
	startOperator(t, byWatches)
	app := withSecrets(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret), secret(app.Namespace, pricingSecret, map[string]string{"token": "t"}), app)
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	create(t, secret(app.Namespace, loginSecret, map[string]string{"username": "u"}))
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
}

func TestSinkIsReachable(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	app.Spec.Events.Sink = "https://broker.example.com:8444/team-a"
	o.deployed(t, app)
	if ports := egressPorts(t, app); !slices.Contains(ports, 8444) {
		t.Errorf("the pods may reach the ports %v, and not the sink's", ports)
	}
	before := configMapOf(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Events.Sink = "http://broker.knative-eventing.svc/team-a/default" })
	o.settle(t, app)
	if configMapOf(t, app) == before {
		t.Error("another sink is no other document")
	}
	policy := get(t, &networkingv1.NetworkPolicy{}, app.Namespace, app.Name)
	if !slices.ContainsFunc(policy.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return len(r.To) == 1 && r.To[0].NamespaceSelector != nil && r.To[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "knative-eventing"
	}) {
		t.Errorf("the namespace of the sink is not open: %+v", policy.Spec.Egress)
	}
}
