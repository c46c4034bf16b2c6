package apidoc_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/apidoc"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/test/manifests"
)

// workflows compiles a manifest.
func workflows(t *testing.T, raw []byte) (apidoc.App, []*engine.Workflow) {
	t.Helper()
	text, beside := manifests.Split(t, raw)
	app, problems := config.ReadManifest(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	doc, errs := config.FromApp(app, beside.Source)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	log := slog.New(slog.DiscardHandler)
	local := limit.NewMemory(time.Now())
	deps := engine.Deps{Limits: local, Failures: local, Local: local, Recorder: telemetry.NewRecorder(telemetry.NewMetrics(nil, nil), log), Log: log}
	if doc.Auth.Mode == v1alpha1.AuthRequired {
		deps.Keys = &auth.Directory{}
	}
	e, err := engine.New(doc, deps)
	if err != nil {
		t.Fatal(err)
	}
	return apidoc.App{Name: doc.Name, PublicURL: doc.PublicURL, Auth: doc.Auth, Strict: doc.Input.Policy == v1alpha1.InputStrict}, e.Workflows()
}

// check has another program read a description, and returns it as JSON.
func check(t *testing.T, app apidoc.App, list []*engine.Workflow) map[string]any {
	t.Helper()
	raw, err := apidoc.Render(app, list)
	if err != nil {
		t.Fatal(err)
	}
	again, err := apidoc.Render(app, list)
	if err != nil || string(again) != string(raw) {
		t.Errorf("rendered again, it differs: %v", err)
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatalf("the model: %v", err)
	}
	if problems := model.Index.GetReferenceIndexErrors(); len(problems) > 0 {
		t.Errorf("references: %v", problems)
	}
	v, problems := validator.NewValidator(document)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Errorf("%s: %s: %v", p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	checkReferences(t, out, out)
	checkOperations(t, out)
	return out
}

// checkReferences resolves every reference but those in data.
func checkReferences(t *testing.T, root, node any) {
	t.Helper()
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			at := root
			for _, token := range strings.Split(ref, "/")[1:] {
				object, _ := at.(map[string]any)
				at = object[token]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, value := range node {
			checkReferences(t, root, value)
		}
	case []any:
		for _, value := range node {
			checkReferences(t, root, value)
		}
	}
}

// checkOperations: ids are unique, and the variables of a path are parameters.
func checkOperations(t *testing.T, doc map[string]any) {
	t.Helper()
	ids := map[string]bool{}
	for path, methods := range doc["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			id := op.(map[string]any)["operationId"].(string)
			if ids[id] {
				t.Errorf("two operations are called %s", id)
			}
			ids[id] = true
			declared, _ := json.Marshal(op.(map[string]any)["parameters"])
			for segment := range strings.SplitSeq(path, "/") {
				name, variable := strings.CutPrefix(segment, "{")
				name = strings.TrimSuffix(name, "}")
				if variable && !strings.Contains(string(declared), `"name":"`+name+`"`) && !strings.Contains(string(declared), "/ExecutionID") {
					t.Errorf("%s %s: %s is not declared", method, path, name)
				}
			}
		}
	}
}

// TestExamples: every app that is shipped as an example has a description that another
// program finds nothing wrong with.
func TestExamples(t *testing.T) {
	all := manifests.Good(t)
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(samples) < 3 {
		t.Fatal(samples, err)
	}
	for _, path := range samples {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all["samples/"+filepath.Base(path)] = raw
	}
	for name, raw := range all {
		t.Run(name, func(t *testing.T) {
			app, list := workflows(t, raw)
			list = slices.DeleteFunc(slices.Clone(list), func(w *engine.Workflow) bool { return !w.Exposes(v1alpha1.ChannelREST) })
			doc := check(t, app, list)
			paths, _ := doc["paths"].(map[string]any)
			for _, w := range list {
				if paths["/workflows/"+w.Name+"/execute"] == nil {
					t.Errorf("nothing of %s", w.Name)
				}
			}
			check(t, app, nil)
		})
	}
}

// shop is an app with everything that is not plain.
const shop = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop}
spec:
  environment: Staging
  publicURL: https://shop.example.com/api
  acknowledgedRisks: [{name: PerPodLimits, reason: a test}]
  auth:
    apiKeys: {secretRef: {name: keys}}
    jwt: [{issuer: https://id.example.com, audiences: [shop]}]
  workflows:
  - name: order
    routes:
    - {method: GET, path: "/orders/{id}"}
    - {method: PUT, path: "/orders/{number}"}
    - {method: POST, path: /orders}
    - {method: DELETE, path: "/orders/{id}"}
    definition:
      document: {dsl: 1.0.3, namespace: t, name: order, version: 1.0.0, title: An order, summary: Does what is asked., tags: {area: sales, "old": ""}}
      input:
        schema:
          document:
            type: object
            $ref: "#/$defs/Order"
            $defs:
              Size: {type: integer}
              Order:
                type: object
                required: [id, amount]
                properties:
                  id: {type: string}
                  number: {type: string}
                  amount: {type: integer}
                  tags: {type: array, items: {type: string}}
                  sizes: {type: array, items: {$ref: "#/$defs/Size"}}
                  address: {type: object, properties: {"the/street": {$ref: "#/$defs/Order/properties/id"}}}
      output: {schema: {document: {type: object, properties: {ok: {type: boolean}}}}}
      do: [{reply: {set: {ok: true}}}]
  - name: plain
    routes: [{method: GET, path: /plain}]
    definition: {document: {dsl: 1.0.3, namespace: t, name: plain, version: 1.0.0}, do: [{reply: {set: "${ . }"}}]}
`

func TestShop(t *testing.T) {
	app, list := workflows(t, []byte(shop))
	doc := check(t, app, list)
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"the server":                  `"servers":[{"url":"https://shop.example.com/api"}]`,
		"two credentials":             `"security":[{"bearer":[]},{"apiKey":[]}]`,
		"health without a credential": `"security":[]`,
		"tags":                        `"tags":["area:sales","old"]`,
		"a workflow without tags":     `"tags":["workflows"]`,
		"an array in the query":       `"in":"query","name":"tags"`,
		"any query":                   `"in":"query","name":"inputs"`,
		"the summary":                 `"description":"Does what is asked."`,
		"a nested reference":          `"$ref":"#/components/schemas/order.input.Order/properties/id"`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s: there is no %s", what, want)
		}
	}
	paths := doc["paths"].(map[string]any)
	orders, _ := paths["/orders/{id}"].(map[string]any)
	if len(orders) != 3 || paths["/orders/{number}"] != nil {
		t.Errorf("paths that differ in the names of variables only are one path: %v", orders)
	}
	for _, name := range []string{"address", "sizes"} {
		if strings.Contains(string(raw), `"in":"query","name":"`+name+`"`) {
			t.Errorf("%s is described as a parameter, and would not be read as what it is", name)
		}
	}
	// A caller who may run less is told less, and nothing of the rest.
	if less, err := apidoc.Render(app, list[1:]); err != nil || strings.Contains(string(less), "order") {
		t.Errorf("%v: %s", err, less)
	}
}

// TestVersion: the version of the API changes exactly when its description does.
func TestVersion(t *testing.T) {
	app, list := workflows(t, []byte(shop))
	version := func(app apidoc.App, list []*engine.Workflow) string {
		raw, err := apidoc.Render(app, list)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Info struct{ Version string } }
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Info.Version
	}
	first := version(app, list)
	_, again := workflows(t, []byte(shop))
	if first == "" || version(app, again) != first {
		t.Errorf("%q, then %q", first, version(app, again))
	}
	_, other := workflows(t, []byte(strings.Replace(shop, "amount: {type: integer}", "amount: {type: number}", 1)))
	if version(app, list[:1]) == first || version(app, other) == first {
		t.Error("another API has the same version")
	}
}
