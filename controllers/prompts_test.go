package controllers

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	promptsConfigMap = "shop-prompts"
	asksForReview    = "messages:\n- {role: user, content: Review this order.}\n"
	asksAgain        = "messages:\n- {role: user, content: Review this order again.}\n"
)

// prompting gives an app a prompt.
func prompting(app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	app.Spec.Prompts = []v1alpha1.Prompt{{Name: "review", ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: promptsConfigMap, Key: "review.yaml"}}}
	return app
}

// A prompt is followed like a definition in a ConfigMap: a change rolls the pods, and what
// was accepted stays in force while the entry holds nothing that can be, or is gone.
func TestPromptIsFollowed(t *testing.T) {
	o := startOperator(t, byHand)
	app := prompting(production(namespace(t)))
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonConfigMapNotFound,
		"spec.prompts[0].configMapRef.name", `ConfigMap "shop-prompts" does not exist: create it with entry "review.yaml": the prompt, in YAML or JSON`)
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "some workflows or prompts cannot be read")
	checkDeployed(t, app, false)

	text := configMap(app.Namespace, promptsConfigMap, "review.yaml", asksForReview)
	create(t, text)
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	put := func(value string) {
		t.Helper()
		text.Data["review.yaml"] = value
		updateLive(t, text)
		o.settle(t, app)
	}
	first := configMapOf(t, app)
	put(asksAgain)
	second := configMapOf(t, app)
	if second == first || !strings.Contains(enforced(t, app), "Review this order again.") {
		t.Errorf("a changed prompt rolls nothing: %s, %s", first, second)
	}
	o.rollOut(t, app)
	for value, want := range map[string]string{
		"messages:\n- {role: user, content: '{{order}}'}\n": `spec.prompts[0].configMapRef/messages/0/content: the argument "order" is not declared`,
		"messages: [": `spec.prompts[0].configMapRef: entry "review.yaml" of ConfigMap "shop-prompts": the prompt cannot be read: line 2, column 1`,
	} {
		put(value)
		got = readBack(t, app)
		expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidPrompt, want, "what is deployed keeps serving")
		expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidPrompt)
		if configMapOf(t, app) != second {
			t.Error("a prompt that is refused rolls the pods")
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
	if configMapOf(t, app) != second || *deploymentOf(t, app).Spec.Replicas != 3 {
		t.Errorf("without the ConfigMap, after a restart: %s, %d replicas", configMapOf(t, app), *deploymentOf(t, app).Spec.Replicas)
	}
}

// A workflow that is wrong is told from a prompt that is.
func TestReasonOfWorkflowBesidePrompt(t *testing.T) {
	o := startOperator(t, byHand)
	app := prompting(production(namespace(t)))
	create(t, configMap(app.Namespace, promptsConfigMap, "review.yaml", "messages: []"))
	broken(app)
	o.create(t, app)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "spec.workflows[0].definition", "spec.prompts[0].configMapRef/messages")
}

// The port of MCP is open exactly while a workflow is served over it.
func TestPortOfMCP(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	check := func(want bool) {
		t.Helper()
		var container, service, policy bool
		for _, p := range deploymentOf(t, app).Spec.Template.Spec.Containers[0].Ports {
			container = container || p.Name == "mcp" && p.ContainerPort == 3001
		}
		for _, p := range get(t, &corev1.Service{}, app.Namespace, app.Name).Spec.Ports {
			service = service || p.Name == "mcp" && p.Port == 3001
		}
		for _, p := range get(t, &networkingv1.NetworkPolicy{}, app.Namespace, app.Name).Spec.Ingress[0].Ports {
			policy = policy || p.Port.IntValue() == 3001
		}
		s := readBack(t, app).Status
		endpoint, tool := s.Endpoints.MCP != "", s.Workflows[0].Tool != ""
		if container != want || service != want || policy != want || endpoint != want || tool != want {
			t.Errorf("want %v, got container %v, service %v, policy %v, endpoint %v, tool %v", want, container, service, policy, endpoint, tool)
		}
	}
	check(true)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0].Expose = []v1alpha1.Channel{v1alpha1.ChannelREST} })
	o.settle(t, app)
	check(false)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0].Expose = []v1alpha1.Channel{v1alpha1.ChannelMCP} })
	o.settle(t, app)
	check(true)
	if api := get(t, &appsv1.Deployment{}, app.Namespace, app.Name).Spec.Template.Spec.Containers[0].Ports[0]; api.Name != "api" {
		t.Errorf("the first port is %s: health is asked there", api.Name)
	}
}
