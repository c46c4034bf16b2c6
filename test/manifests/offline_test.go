package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/config/crd"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// judge returns what the rules of the API and the compiler say about an app, one line
// each: what the operator's Accepted=False is made of.
func judge(app *v1alpha1.NexusApp, beside Beside) string {
	document, errs := config.FromApp(app, beside.Source)
	errs = slices.DeleteFunc(errs, config.IsReference)
	problems := config.Problems(errs)
	if document.Name != "" {
		_, found := compile.App(&document)
		problems = append(problems, config.Located(app, found)...)
	}
	return lines(problems)
}

func lines(problems []config.Problem) string {
	var out strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&out, p)
	}
	return out.String()
}

// offline returns what is said about a case without a cluster.
func offline(t *testing.T, c Case) string {
	t.Helper()
	app, problems := config.ReadManifest(c.Raw)
	if len(problems) > 0 {
		return lines(problems)
	}
	if said := judge(app, c.Beside); said != "" || c.At != References {
		return said
	}
	if _, errs := config.FromApp(app, c.Source); len(errs) > 0 {
		return lines(config.Problems(errs))
	}
	return secretsOffline(t, app, c.Secrets)
}

// secretsOffline returns what the runtime says about the API keys of an app.
func secretsOffline(t *testing.T, app *v1alpha1.NexusApp, secrets map[string]map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for secret, entries := range secrets {
		if err := os.Mkdir(filepath.Join(dir, secret), 0o700); err != nil {
			t.Fatal(err)
		}
		for entry, value := range entries {
			if err := os.WriteFile(filepath.Join(dir, secret, entry), []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if app.Spec.Auth.APIKeys == nil {
		return ""
	}
	_, err := auth.Open(dir, app.Spec.Auth.APIKeys.SecretRef.Name)
	if err == nil {
		return ""
	}
	return "spec.auth.apiKeys.secretRef.name: " + err.Error()
}

func TestBadManifestsAreRefusedOffline(t *testing.T) {
	for _, c := range Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			said := offline(t, c)
			if said == "" {
				t.Fatal("nothing was said against it")
			}
			if missing := Missing(c.WantOffline, said); len(missing) > 0 {
				t.Errorf("missing %q in:\n%s", missing, said)
			}
			for _, entries := range c.Secrets {
				for _, value := range entries {
					if strings.Contains(said, value) {
						t.Error("a message holds the value of a Secret")
					}
				}
			}
		})
	}
}

// TestEveryRuleIsRepeatedOffline keeps the CEL rules of the CRD and the Go rules from
// drifting apart: what admission says, some bad manifest makes the offline check say
// too, word for word.
func TestEveryRuleIsRepeatedOffline(t *testing.T) {
	var said strings.Builder
	for _, c := range Load(t) {
		said.WriteString(offline(t, c))
	}
	var definition map[string]any
	if err := yaml.Unmarshal(crd.NexusApps, &definition); err != nil {
		t.Fatal(err)
	}
	messages := map[string]bool{}
	collectMessages(definition, messages)
	if len(messages) < 20 {
		t.Fatalf("only %d CEL messages found in the CRD", len(messages))
	}
	for message := range messages {
		if !strings.Contains(said.String(), message) {
			t.Errorf("no bad manifest shows that this rule is repeated offline: %s", message)
		}
	}
}

// collectMessages finds the messages of all x-kubernetes-validations.
func collectMessages(tree any, into map[string]bool) {
	switch v := tree.(type) {
	case map[string]any:
		rules, _ := v["x-kubernetes-validations"].([]any)
		for _, rule := range rules {
			into[rule.(map[string]any)["message"].(string)] = true
		}
		for _, child := range v {
			collectMessages(child, into)
		}
	case []any:
		for _, child := range v {
			collectMessages(child, into)
		}
	}
}

func TestGoodManifestsAreAcceptedOffline(t *testing.T) {
	for name, raw := range goodManifests(t) {
		t.Run(name, func(t *testing.T) {
			app, problems := config.ReadManifest(raw)
			if len(problems) > 0 {
				t.Fatalf("refused:\n%s", lines(problems))
			}
			_, beside := Split(t, raw)
			document, errs := config.FromApp(app, beside.Source)
			if said := judge(app, beside) + lines(config.Problems(errs)); said != "" {
				t.Fatalf("refused:\n%s", said)
			}
			if document.NeedsCluster() {
				document.Cluster = &config.ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: []byte(`{"keys":[]}`)}
			}
			rendered, err := document.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(rendered, config.Hash(rendered)); err != nil {
				t.Fatalf("the runtime does not load what was rendered: %v", err)
			}
		})
	}
}

// goodManifests are those of folder good and the samples.
func goodManifests(t *testing.T) map[string][]byte {
	t.Helper()
	good := Good(t)
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(samples) < 2 {
		t.Fatalf("%d samples found: %v", len(samples), err)
	}
	for _, sample := range samples {
		raw, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		good[filepath.Base(sample)] = raw
	}
	return good
}

// TestFullManifestSetsEveryField keeps good/full.yaml full: it has a value at every
// property of the spec that is ours.
func TestFullManifestSetsEveryField(t *testing.T) {
	app, problems := config.ReadManifest(Good(t)["full"])
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	defaulted := app.DeepCopy()
	v1alpha1.SetDefaults(&defaulted.Spec)
	raw, err := yaml.Marshal(app.Spec)
	if err != nil {
		t.Fatal(err)
	}
	withDefaults, err := yaml.Marshal(defaulted.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != string(withDefaults) {
		t.Errorf("a default fills in something that full.yaml leaves out:\n%s", withDefaults)
	}
	var definition map[string]any
	if err := yaml.Unmarshal(crd.NexusApps, &definition); err != nil {
		t.Fatal(err)
	}
	for _, field := range specFields(t, definition) {
		if !strings.Contains(string(Good(t)["full"]), field+":") {
			t.Errorf("full.yaml does not set %s", field)
		}
	}
}

// specFields are the names of all properties of the spec, without those of the types
// that come from Kubernetes.
func specFields(t *testing.T, definition map[string]any) []string {
	t.Helper()
	node := definition["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
	node = node["properties"].(map[string]any)["spec"].(map[string]any)
	foreign := map[string]bool{"affinity": true, "tolerations": true, "topologySpreadConstraints": true, "api": true, "metrics": true}
	var names []string
	var walk func(node map[string]any)
	walk = func(node map[string]any) {
		properties, _ := node["properties"].(map[string]any)
		for name, child := range properties {
			names = append(names, name)
			if !foreign[name] {
				walk(child.(map[string]any))
			}
		}
		if items, ok := node["items"].(map[string]any); ok {
			walk(items)
		}
	}
	walk(node)
	if len(names) < 50 {
		t.Fatalf("only %d fields found", len(names))
	}
	return names
}
