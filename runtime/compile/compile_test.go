package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

func define(name, more, tasks string) v1alpha1.Workflow {
	w := v1alpha1.Workflow{Name: name}
	w.Definition.Raw = []byte(`{"document":{"dsl":"1.0.3","namespace":"team-a","name":"` + name + `","version":"1.0.0"},` + more + `"do":` + tasks + `}`)
	return w
}

func get(url string) string {
	return `[{"ask":{"call":"http","with":{"method":"get","endpoint":"` + url + `"}}}]`
}

const runOther = `[{"go":{"run":{"workflow":{"namespace":"team-a","name":"%s","version":"1.0.0"}}}}]`

func document() *config.Document {
	return &config.Document{
		Name: "shop", Namespace: "team-a",
		Auth:    v1alpha1.Auth{JWT: []v1alpha1.JWTIssuer{{Issuer: "https://id.example.com"}}},
		Egress:  v1alpha1.Egress{Allow: []string{"prices.example.com:443"}},
		Events:  v1alpha1.Events{Sink: "http://broker.example.com/"},
		Secrets: []v1alpha1.WorkflowSecret{{Name: "token"}},
		Resources: []config.Resource{{Name: "configmap:apis/prices", Content: `{"openapi":"3.0.3","servers":[{"url":"https://prices.example.com"}],
			"paths":{"/p":{"get":{"operationId":"getPrice","responses":{}}},"/q":{"servers":[{"url":"https://other.example.com"}],"get":{"operationId":"getOther","responses":{}}}}}`}},
	}
}

// TestApp: what definitions may use is what the rest of the document says. A problem has
// its field and, within a definition, its pointer.
func TestApp(t *testing.T) {
	openapi := func(operation string) string {
		return `[{"ask":{"call":"openapi","with":{"document":{"endpoint":"configmap:apis/prices"},"operationId":"` + operation + `"}}}]`
	}
	for name, c := range map[string]struct {
		workflow v1alpha1.Workflow
		// at is the end of the problem's field, says a part of its message; without them
		// there is no problem.
		at, says string
	}{
		"an allowed host":              {define("a", "", get("https://prices.example.com/x")), "", ""},
		"another host":                 {define("a", "", get("https://other.example.com/x")), ".definition/do/0/ask/with/endpoint", "other.example.com:443"},
		"the issuer is the runtime's":  {define("a", "", get("https://id.example.com/x")), ".definition/do/0/ask/with/endpoint", "id.example.com:443"},
		"the sink is for events":       {define("a", "", get("http://broker.example.com/x")), ".definition/do/0/ask/with/endpoint", "broker.example.com:80"},
		"a declared secret":            {define("a", `"use":{"secrets":["token"]},`, `[{"s":{"set":"${ $secrets.token }"}}]`), "", ""},
		"another secret":               {define("a", `"use":{"secrets":["tokem"]},`, `[{"s":{"set":{"x":1}}}]`), ".definition/use/secrets/0", "did you mean token"},
		"an operation":                 {define("a", "", openapi("getPrice")), "", ""},
		"a misspelt operation":         {define("a", "", openapi("getPrise")), ".definition/do/0/ask/with/operationId", `"getPrice"`},
		"an operation of another host": {define("a", "", openapi("getOther")), ".definition/do/0/ask/with/operationId", "other.example.com:443"},
		"another workflow":             {define("a", "", fmt.Sprintf(runOther, "other")), "", ""},
		"a workflow that is not there": {define("a", "", fmt.Sprintf(runOther, "othr")), ".definition/do/0/go/run/workflow/name", "other"},
		"itself":                       {define("a", "", fmt.Sprintf(runOther, "a")), ".definition/do/0/go/run/workflow", "circle"},
	} {
		doc := document()
		doc.Workflows = []v1alpha1.Workflow{define("other", "", `[{"s":{"set":{"x":1}}}]`), c.workflow}
		compiled, problems := App(doc)
		if c.at == "" {
			if len(problems) > 0 || len(compiled) != 2 || compiled[1].Program == nil || compiled[1].Condition != nil {
				t.Errorf("%s: %v", name, problems)
			}
			continue
		}
		if len(problems) != 1 || problems[0].Field != "spec.workflows[1]"+c.at || !strings.Contains(problems[0].Message, c.says) {
			t.Errorf("%s: %v, want one at spec.workflows[1]%s that says %s", name, problems, c.at, c.says)
		}
	}
}

// TestAppNamesEveryProblem: of all workflows, and of what belongs to them.
func TestAppNamesEveryProblem(t *testing.T) {
	doc := document()
	conditional := define("c", "", `[{"s":{"set":{"x":1}}}]`)
	conditional.Authorization.When = "size(input.items"
	doc.Workflows = []v1alpha1.Workflow{define("a", "", `[{"s":{"sett":1}}]`), define("b", "", get("https://other.example.com/x")), conditional}
	_, problems := App(doc)
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	want := []string{"spec.workflows[0].definition/do/0/s", "spec.workflows[1].definition/do/0/ask/with/endpoint", "spec.workflows[2].authorization.when"}
	slices.Sort(fields)
	if !slices.Equal(fields, want) {
		t.Errorf("problems at %v, want %v: %v", fields, want, problems)
	}
	doc = document()
	conditional.Authorization.When = "size(input.items) < 3"
	doc.Workflows = []v1alpha1.Workflow{conditional}
	if compiled, problems := App(doc); len(problems) > 0 || compiled[0].Condition == nil {
		t.Errorf("a condition: %v", problems)
	}
}
