package v1alpha1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// production is an app that every rule accepts. What each bad manifest is told stands
// in test/manifests; here are the borders of the rules.
func production() *NexusApp {
	return &NexusApp{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec: NexusAppSpec{
			Environment:       Production,
			AcknowledgedRisks: []AcknowledgedRisk{{Name: RiskPerPodLimits, Reason: "for now"}},
			Auth:              Auth{APIKeys: &APIKeys{SecretRef: LocalReference{Name: "keys"}}},
			Workflows:         []Workflow{workflow("echo")},
		},
	}
}

func workflow(name string) Workflow {
	return Workflow{Name: name, Definition: runtime.RawExtension{Raw: []byte(`{"do":[]}`)}}
}

func validate(app *NexusApp) []string {
	app = app.DeepCopy()
	SetDefaults(&app.Spec)
	var fields []string
	for _, err := range append(Validate(app), ValidateWritten(app)...) {
		fields = append(fields, err.Field)
	}
	return fields
}

func TestValidateBorders(t *testing.T) {
	tests := []struct {
		name   string
		change func(*NexusApp)
		want   string // the fields refused, joined
	}{
		{"nothing", func(*NexusApp) {}, ""},
		{"a name of 46 characters", func(a *NexusApp) { a.Name = strings.Repeat("a", 46) }, ""},
		{"a name of 47 characters", func(a *NexusApp) { a.Name = strings.Repeat("a", 47) }, "metadata.name"},
		{"a name that ends in a dash", func(a *NexusApp) { a.Name = "shop-" }, "metadata.name"},
		{"no name", func(a *NexusApp) { a.Name = "" }, "metadata.name"},
		{"zero replicas", func(a *NexusApp) { a.Spec.Replicas = ptr.To[int32](0) }, ""},
		{"one replica", func(a *NexusApp) { a.Spec.Replicas = ptr.To[int32](1) }, "spec.replicas"},
		{"one replica in Staging", func(a *NexusApp) { a.Spec.Environment, a.Spec.Replicas = Staging, ptr.To[int32](1) }, ""},
		{"one replica counts its own limits", func(a *NexusApp) {
			a.Spec.Replicas = ptr.To[int32](1)
			a.Spec.AcknowledgedRisks = []AcknowledgedRisk{{Name: RiskSingleReplica, Reason: "small"}}
		}, ""},
		{"several risks at once", func(a *NexusApp) {
			a.Spec.AcknowledgedRisks = nil
			a.Spec.Auth = Auth{Mode: AuthDisabled}
			a.Spec.NetworkPolicy.Mode = NetworkPolicyDisabled
		}, "spec.auth.mode spec.rateLimit spec.networkPolicy.mode"},
		{"limits switched off knowingly", func(a *NexusApp) {
			a.Spec.RateLimit.Mode = RateLimitDisabled
			a.Spec.AcknowledgedRisks = []AcknowledgedRisk{{Name: RiskRateLimitDisabled, Reason: "behind a gateway"}}
		}, ""},
		{"limits switched off in Development", func(a *NexusApp) {
			a.Spec.Environment, a.Spec.RateLimit.Mode = Development, RateLimitDisabled
		}, "spec.rateLimit.mode"},
		{"an open network in Staging", func(a *NexusApp) { a.Spec.Environment, a.Spec.NetworkPolicy.Mode = Staging, NetworkPolicyDisabled }, ""},
		{"maxBytes of 50Mi", func(a *NexusApp) { a.Spec.Input.MaxBytes = resource.MustParse("50Mi") }, ""},
		{"maxBytes of 50Mi and one", func(a *NexusApp) { a.Spec.Input.MaxBytes = resource.MustParse("52428801") }, "spec.input.maxBytes"},
		{"maxBytes of 1.5Ki", func(a *NexusApp) { a.Spec.Input.MaxBytes = resource.MustParse("1.5Ki") }, "spec.input.maxBytes"},
		{"maxBytes of a thousandth", func(a *NexusApp) { a.Spec.Input.MaxBytes = resource.MustParse("1m") }, "spec.input.maxBytes"},
		{"memory of exactly four bodies", func(a *NexusApp) { a.Spec.Resources = limits("1", "40Mi") }, ""},
		{"memory of a byte less", func(a *NexusApp) { a.Spec.Resources = limits("1", "41943039") }, "spec.resources.limits[memory]"},
		{"a request equal to its limit", func(a *NexusApp) { a.Spec.Resources = both("1", "1Gi", "1", "1Gi") }, ""},
		{"requests above both limits", func(a *NexusApp) { a.Spec.Resources = both("2", "2Gi", "1", "1Gi") }, "spec.resources.requests[cpu] spec.resources.requests[memory]"},
		{"100% unavailable", func(a *NexusApp) { a.Spec.Disruption.MaxUnavailable = ptr.To(intstr.FromString("100%")) }, ""},
		{"101% unavailable", func(a *NexusApp) { a.Spec.Disruption.MaxUnavailable = ptr.To(intstr.FromString("101%")) }, "spec.disruption.maxUnavailable"},
		{"a number in quotes", func(a *NexusApp) { a.Spec.Disruption.MaxUnavailable = ptr.To(intstr.FromString("1")) }, "spec.disruption.maxUnavailable"},
		{"IPv6 proxies", func(a *NexusApp) { a.Spec.RateLimit.TrustedProxies = []string{"2001:db8::/32", "::1/128"} }, ""},
		{"a label of somebody else", func(a *NexusApp) { a.Spec.PodMetadata.Labels = map[string]string{"example.com/app.kubernetes.io": "x"} }, ""},
		{"an annotation key with a space", func(a *NexusApp) { a.Spec.PodMetadata.Annotations = map[string]string{"a b": "x"} }, "spec.podMetadata.annotations"},
		{"a node selector that cannot match", func(a *NexusApp) { a.Spec.Scheduling.NodeSelector = map[string]string{"a": "b c"} }, "spec.scheduling.nodeSelector"},
		{"a timeout of the app's limit", func(a *NexusApp) { a.Spec.Workflows[0].TimeoutSeconds = 60 }, ""},
		{"a definition of 64Ki", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = sized(MaxDefinitionBytes) }, ""},
		{"a definition of a byte more", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = sized(MaxDefinitionBytes + 1) }, "spec.workflows[0].definition"},
		{"definitions of 192Ki", func(a *NexusApp) { a.Spec.Workflows = several(64<<10, 64<<10, 64<<10) }, ""},
		{"definitions of a little more", func(a *NexusApp) { a.Spec.Workflows = several(64<<10, 64<<10, 64<<10, 10) }, "spec.workflows"},
		{"no definition", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = nil }, "spec.workflows[0].definition"},
		{"a definition that is a list", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = []byte(`[]`) }, "spec.workflows[0].definition"},
		{"texts count too", func(a *NexusApp) {
			a.Spec.Workflows = several(64<<10, 64<<10, 64<<10)
			a.Spec.Workflows = append(a.Spec.Workflows, Workflow{Name: "text", DefinitionText: "do"})
		}, "spec.workflows"},
		{"a text of 64Ki", func(a *NexusApp) {
			a.Spec.Workflows[0] = Workflow{Name: "text", DefinitionText: strings.Repeat("é", MaxDefinitionBytes/2)}
		}, ""},
		{"a text of a byte more", func(a *NexusApp) {
			a.Spec.Workflows[0] = Workflow{Name: "text", DefinitionText: strings.Repeat("é", MaxDefinitionBytes/2) + "x"}
		}, "spec.workflows[0].definitionText"},
		{"a reference", func(a *NexusApp) { a.Spec.Workflows[0] = Workflow{Name: "ref", DefinitionRef: &DefinitionReference{}} }, ""},
		{"two definitions", func(a *NexusApp) { a.Spec.Workflows[0].DefinitionText = "do" }, "spec.workflows[0].definition"},
		{"the key false in a text", func(a *NexusApp) { a.Spec.Workflows[0] = Workflow{Name: "text", DefinitionText: `"false": 1`} }, ""},
		{"a sink", func(a *NexusApp) { a.Spec.Events.Sink = "http://broker.knative-eventing.svc:8080/team-a/default" }, ""},
		{"a sink at a port that there is not", func(a *NexusApp) { a.Spec.Events.Sink = "https://broker.example.com:99999" }, "spec.events.sink"},
		{"a sink without a host", func(a *NexusApp) { a.Spec.Events.Sink = "https://:443/a" }, "spec.events.sink"},
		{"a sink that is no URL", func(a *NexusApp) { a.Spec.Events.Sink = "https://a b/" }, "spec.events.sink"},
		{"two workflows of one name", func(a *NexusApp) { a.Spec.Workflows = append(a.Spec.Workflows, workflow("echo")) }, "spec.workflows[1].name"},
		{"one risk twice", func(a *NexusApp) {
			a.Spec.AcknowledgedRisks = append(a.Spec.AcknowledgedRisks, a.Spec.AcknowledgedRisks...)
		}, "spec.acknowledgedRisks[1].name"},
		{"the key false, deep down", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = []byte(`{"do":[{"a":{"set":{"false":1}}}]}`) }, "spec.workflows[0].definition.do[0].a.set[false]"},
		{"the value false", func(a *NexusApp) { a.Spec.Workflows[0].Definition.Raw = []byte(`{"do":[{"a":{"set":{"b":false}}}]}`) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := production()
			test.change(app)
			if got := strings.Join(validate(app), " "); got != test.want {
				t.Errorf("refused %q, want %q", got, test.want)
			}
		})
	}
}

func sized(size int) []byte {
	const frame = `{"do":""}`
	return []byte(`{"do":"` + strings.Repeat("x", size-len(frame)) + `"}`)
}

func several(sizes ...int) []Workflow {
	var out []Workflow
	for i, size := range sizes {
		w := workflow(string([]byte{'a' + byte(i)}))
		w.Definition.Raw = sized(size)
		out = append(out, w)
	}
	return out
}

func TestRoutes(t *testing.T) {
	get := func(paths ...string) []Route {
		var routes []Route
		for _, p := range paths {
			routes = append(routes, Route{Method: "GET", Path: p})
		}
		return routes
	}
	tests := []struct {
		name string
		a, b []Route
		want string
	}{
		{"different paths", get("/api/a"), get("/api/b"), ""},
		{"different lengths", get("/api/{x}"), get("/api/{x}/{y}"), ""},
		{"different methods", get("/api/a"), []Route{{Method: "POST", Path: "/api/a"}}, ""},
		{"the literal is the more specific", get("/api/{x}"), get("/api/a"), ""},
		{"more specific in one segment, equal in the others", get("/{x}/{y}/c"), get("/{x}/b/c"), ""},
		{"variables that differ in name only", get("/api/{x}"), get("/api/{y}"), "spec.workflows[1].routes[0]"},
		{"each more specific in another segment", get("/api/{x}/b"), get("/api/a/{y}"), "spec.workflows[1].routes[0]"},
		{"literals that differ decide", get("/api/{x}/b/c"), get("/api/a/{y}/d"), ""},
		{"within one workflow", get("/api/a", "/api/a"), nil, "spec.workflows[0].routes[1]"},
		{"a reserved first segment", get("/sessions/{id}"), nil, "spec.workflows[0].routes[0].path"},
		{"a reserved word further on", get("/api/health"), nil, ""},
		{"a longer word that begins like a reserved one", get("/healthy"), nil, ""},
		{"dots inside of a segment", get("/api/v1.2/..a"), nil, ""},
		{"a dot segment", get("/api/./a"), nil, "spec.workflows[0].routes[0].path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := production()
			app.Spec.Workflows = append(app.Spec.Workflows, workflow("other"))
			app.Spec.Workflows[0].Routes, app.Spec.Workflows[1].Routes = test.a, test.b
			if got := strings.Join(validate(app), " "); got != test.want {
				t.Errorf("refused %q, want %q", got, test.want)
			}
		})
	}
}

// TestReservedPathsAreNamed keeps the list, the CEL rule and the message alike.
func TestReservedPathsAreNamed(t *testing.T) {
	for _, p := range reservedPaths {
		app := production()
		app.Spec.Workflows[0].Routes = []Route{{Method: "GET", Path: "/" + p + "/x"}}
		SetDefaults(&app.Spec)
		errs := Validate(app)
		if len(errs) != 1 || !strings.Contains(errs[0].Detail, "/"+p) {
			t.Errorf("/%s: got %v, want a message that names it", p, errs)
		}
	}
}
