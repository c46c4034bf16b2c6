package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

// The ConfigMaps that the fixtures name: definitions, and an OpenAPI document.
const (
	flowsConfigMap = "shop-flows"
	petsConfigMap  = "shop-pets"
)

// referring makes the workflow of an app one whose definition is in a ConfigMap.
func referring(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Workflows = []v1alpha1.Workflow{{Name: "quote-order", DefinitionRef: &v1alpha1.DefinitionReference{
		ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: flowsConfigMap, Key: "quote-order.yaml"}}}}
	return app
}

// definitionText is a definition with one task.
func definitionText(task string) string {
	return "document: {dsl: 1.0.3, namespace: team-a, name: quote-order, version: 1.0.0}\ndo:\n- answer: " + task + "\n"
}

const (
	setsPrice   = "{set: {price: 42}}"
	callsPets   = `{call: openapi, with: {document: {endpoint: "configmap:shop-pets/api.yaml"}, operationId: find}}`
	listens     = "{listen: {to: {one: {with: {type: paid}}}}}"
	petsOpenAPI = "openapi: 3.1.0\ninfo: {title: Pets, version: %q}\nservers: [{url: https://pets.example.com}]\npaths: {/pets: {get: {operationId: find, responses: {}}}}\n"
)

func flows(namespace, text string) *corev1.ConfigMap {
	return configMap(namespace, flowsConfigMap, "quote-order.yaml", text)
}

func pets(namespace, version string) *corev1.ConfigMap {
	return configMap(namespace, petsConfigMap, "api.yaml", fmt.Sprintf(petsOpenAPI, version))
}

func configMap(namespace, name, key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{key: text}}
}

// enforced is the document that the pods of an app are told to enforce.
func enforced(t *testing.T, app *v1alpha1.NexusApp) string {
	t.Helper()
	return get(t, &corev1.ConfigMap{}, app.Namespace, configMapOf(t, app)).Data[desired.ConfigKey]
}

// checkDeployed says whether an app has a Deployment.
func checkDeployed(t *testing.T, app *v1alpha1.NexusApp, want bool) {
	t.Helper()
	err := k8s.Get(t.Context(), client.ObjectKeyFromObject(app), &appsv1.Deployment{})
	if client.IgnoreNotFound(err) != nil || apierrors.IsNotFound(err) == want {
		t.Errorf("deployed: %v, want %v (%v)", err == nil, want, err)
	}
}

func readsOfConfigMaps(namespace string) func(string) bool {
	return func(s string) bool { return strings.HasPrefix(s, "GET /api/v1/namespaces/"+namespace+"/configmaps/") }
}

// A text and an object that mean the same are the same document.
func TestTextIsAccepted(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	before := configMapOf(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) {
		a.Spec.Workflows = []v1alpha1.Workflow{{Name: "quote-order", DefinitionText: definitionText(setsPrice)}}
	})
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if after := configMapOf(t, app); after != before {
		t.Errorf("the pods roll for another form of the same workflow: %s, %s", before, after)
	}
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0].DefinitionText = definitionText(listens) })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow,
		"spec.workflows[0].definitionText/do/0/answer/listen", "generation 2 stays in force")
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0].DefinitionText = "do: [" })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow,
		"spec.workflows[0].definitionText: the definition cannot be read: line 2, column 1")
}

// What a ConfigMap held stays in force while it holds nothing that can be, or is gone.
func TestReferredDefinition(t *testing.T) {
	o := startOperator(t, byHand)
	app := referring(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound,
		"spec.workflows[0].definitionRef.configMapRef.name", `ConfigMap "shop-flows" does not exist: create it with entry "quote-order.yaml"`, "nothing is deployed yet")
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "see ReferencesResolved")
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound)
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
	checkDeployed(t, app, false)

	text := configMap(app.Namespace, flowsConfigMap, "other", "")
	create(t, text)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapInvalid,
		"spec.workflows[0].definitionRef.configMapRef.key", `ConfigMap "shop-flows" has no entry "quote-order.yaml": add it`)
	checkDeployed(t, app, false)

	put := func(value string) {
		t.Helper()
		text.Data = map[string]string{"quote-order.yaml": value}
		updateLive(t, text)
		o.reconcile(t, app)
		if reads := o.requests.matching(readsOfConfigMaps(app.Namespace)); len(reads) > 2 {
			t.Errorf("the ConfigMaps are read as %v", reads)
		}
		o.settle(t, app)
	}
	put(definitionText(setsPrice))
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	result, err := o.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(app)})
	if err != nil || result.RequeueAfter != 0 {
		t.Errorf("at rest the app is looked at again after %v (%v)", result.RequeueAfter, err)
	}

	first := configMapOf(t, app)
	put(definitionText("{set: {price: 43}}"))
	second := configMapOf(t, app)
	if second == first || !strings.Contains(enforced(t, app), `"price": 43`) {
		t.Errorf("a changed definition rolls nothing: %s, %s", first, second)
	}
	o.rollOut(t, app)
	o.settle(t, app)

	for value, want := range map[string]string{
		definitionText(listens): "spec.workflows[0].definitionRef/do/0/answer/listen",
		"do: [":                 `spec.workflows[0].definitionRef: entry "quote-order.yaml" of ConfigMap "shop-flows": the definition cannot be read: line 2, column 1`,
	} {
		put(value)
		got = readBack(t, app)
		expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, want, "what is deployed keeps serving")
		expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
		expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidWorkflow)
		if configMapOf(t, app) != second {
			t.Error("a definition that is refused rolls the pods")
		}
	}

	if err := k8s.Delete(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	o.settle(t, app)
	o.stop()
	o = startOperator(t, byHand)
	o.scaleByHand(t, app, 9)
	o.settle(t, app)
	got = readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound, "what is deployed keeps serving")
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
	if configMapOf(t, app) != second || *deploymentOf(t, app).Spec.Replicas != 3 || got.Status.PolicyHash == "" {
		t.Errorf("without the ConfigMap, after a restart: %s, %d replicas, %+v", configMapOf(t, app), *deploymentOf(t, app).Spec.Replicas, got.Status)
	}

	// Back to what was there first: the pods follow, and so does the record.
	text.ObjectMeta = metav1.ObjectMeta{Namespace: app.Namespace, Name: flowsConfigMap}
	text.Data = map[string]string{"quote-order.yaml": definitionText(setsPrice)}
	create(t, text)
	o.settle(t, app)
	if configMapOf(t, app) != first {
		t.Error("the first definition is there again, and the pods do not follow")
	}
	if err := k8s.Delete(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	o.settle(t, app)
	if configMapOf(t, app) != first {
		t.Error("what stays in force is not what was accepted last")
	}
}

// A change of a ConfigMap waits while a newer generation is refused, as a change of the
// spec would; what somebody puts in place of the document is never rendered.
func TestReferredDefinitionOfARefusedGeneration(t *testing.T) {
	o := startOperator(t, byHand)
	app := referring(production(namespace(t)))
	text := flows(app.Namespace, definitionText(setsPrice))
	create(t, text)
	o.deployed(t, app)
	before := deploymentOf(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { broken(withDefinition(a)) })
	text.Data["quote-order.yaml"] = definitionText("{set: {price: 43}}")
	updateLive(t, text)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "generation 1 stays in force")

	name := configMapOf(t, app)
	document := get(t, &corev1.ConfigMap{}, app.Namespace, name)
	if err := k8s.Delete(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	o.seesGone(t, document)
	forged := configMap(app.Namespace, name, desired.ConfigKey, strings.Replace(document.Data[desired.ConfigKey], "42", "0", 1))
	create(t, forged)
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
		t.Errorf("without its document the accepted spec causes %v", writes)
	}
	expect(t, readBack(t, app), v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved)
	if after := deploymentOf(t, app); after.Generation != before.Generation {
		t.Error("the Deployment was changed")
	}
}

// withDefinition gives the workflow a definition of its own, for others to change.
func withDefinition(a *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	a.Spec.Workflows[0] = workflowNamed(a.Spec.Workflows[0].Name)
	return a
}

// A change of a ConfigMap waits while a Secret is missing, too.
func TestReferredDefinitionWaitsForASecret(t *testing.T) {
	o := startOperator(t, byHand)
	app := referring(production(namespace(t)))
	text := flows(app.Namespace, definitionText(setsPrice))
	create(t, text)
	o.deployed(t, app)
	before := configMapOf(t, app)
	secret := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	if err := k8s.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	o.seesVersion(t, secret)
	text.Data["quote-order.yaml"] = definitionText("{set: {price: 43}}")
	updateLive(t, text)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	if configMapOf(t, app) != before {
		t.Error("a change went into force although a Secret is missing")
	}
	create(t, apiKeys(app.Namespace, keysSecret))
	o.settle(t, app)
	if configMapOf(t, app) == before {
		t.Error("the change did not go into force once the Secret was back")
	}
}

func TestOpenAPIDocumentInAConfigMap(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	app.Spec.Egress.Allow = []string{"pets.example.com:443"}
	app.Spec.Workflows = []v1alpha1.Workflow{{Name: "quote-order", DefinitionText: definitionText(callsPets)}}
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound,
		"spec.workflows[0].definitionText/do/0/answer/with/document/endpoint", `ConfigMap "shop-pets" does not exist: create it with entry "api.yaml": the OpenAPI document`)
	document := pets(app.Namespace, "1")
	create(t, document)
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	before := configMapOf(t, app)
	put := func(text string) {
		t.Helper()
		document.Data["api.yaml"] = text
		updateLive(t, document)
		o.settle(t, app)
	}
	put("# a comment\n" + fmt.Sprintf(petsOpenAPI, "1"))
	if configMapOf(t, app) != before {
		t.Error("a comment in the OpenAPI document rolls the pods")
	}
	put(strings.Replace(fmt.Sprintf(petsOpenAPI, "1"), "find", "findAll", 1))
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "spec.workflows[0].definitionText/do/0/answer", "findAll")
	put("a: " + strings.Repeat("x", v1alpha1.MaxResourceBytes))
	expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapInvalid, `entry "api.yaml" of ConfigMap "shop-pets"`, "at most 262144 fit")
	if configMapOf(t, app) != before {
		t.Error("an OpenAPI document that cannot be used rolls the pods")
	}
	put(fmt.Sprintf(petsOpenAPI, "2"))
	if configMapOf(t, app) == before {
		t.Error("another OpenAPI document rolls nothing")
	}
}

// The app follows its ConfigMaps without a kick, also one that only another one names.
func TestConfigMapsAreFollowed(t *testing.T) {
	o := startOperator(t, byWatches)
	app := referring(production(namespace(t)))
	app.Spec.Egress.Allow = []string{"pets.example.com:443"}
	create(t, apiKeys(app.Namespace, keysSecret), app)
	awaitMessage(t, app, v1alpha1.ReasonConfigMapNotFound, flowsConfigMap)
	text := flows(app.Namespace, definitionText(callsPets))
	create(t, text)
	awaitMessage(t, app, v1alpha1.ReasonConfigMapNotFound, petsConfigMap)
	document := pets(app.Namespace, "1")
	create(t, document)
	awaitCondition(t, app, v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	o.rollOut(t, app)
	ready := awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	document.Data["api.yaml"] = fmt.Sprintf(petsOpenAPI, "2")
	updateLive(t, document)
	changed := awaitHash(t, app, ready.Status.PolicyHash)
	text.Data["quote-order.yaml"] = definitionText(setsPrice)
	updateLive(t, text)
	awaitHash(t, app, changed)
	if err := k8s.Delete(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	awaitMessage(t, app, v1alpha1.ReasonConfigMapNotFound, flowsConfigMap)
}

// awaitMessage waits until a reference cannot be resolved for this reason and object.
func awaitMessage(t *testing.T, app *v1alpha1.NexusApp, reason, object string) {
	t.Helper()
	await(t, app, &v1alpha1.NexusAppList{}, object+" is "+reason, func(a *v1alpha1.NexusApp) bool {
		return slices.ContainsFunc(a.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionReferencesResolved && c.Reason == reason && strings.Contains(c.Message, object)
		})
	})
}

// awaitHash waits until another document is in force, and returns its hash.
func awaitHash(t *testing.T, app *v1alpha1.NexusApp, other string) string {
	t.Helper()
	return await(t, app, &v1alpha1.NexusAppList{}, "another document is in force", func(a *v1alpha1.NexusApp) bool {
		return a.Status.PolicyHash != other
	}).Status.PolicyHash
}
