package config

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const hello = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: hello}
spec:
  environment: Development
  workflows:
  - name: greet
    definition: {document: {}, do: []}
`

const secret = `apiVersion: v1
kind: Secret
metadata: {name: keys}
`

func TestReadManifestFindsTheApp(t *testing.T) {
	tests := map[string]struct {
		manifest string
		want     string // of the problems; empty when the app is read
	}{
		"alone":                    {hello, ""},
		"behind a marker":          {"---\n" + hello, ""},
		"behind a comment":         {"--- # the app\n# a comment\n" + hello + "---\n", ""},
		"beside a Secret":          {secret + "---\n" + hello, ""},
		"before a Secret":          {hello + "---\n" + secret, ""},
		"with Windows line ends":   {strings.ReplaceAll(secret+"---\n"+hello, "\n", "\r\n"), ""},
		"as JSON with tabs":        {"{\n\t\"apiVersion\": \"nexus.dev/v1alpha1\", \"kind\": \"NexusApp\",\n\t\"metadata\": {\"name\": \"hello\"}, \"spec\": {\"environment\": \"Development\", \"workflows\": [{\"name\": \"greet\", \"definition\": {}}]}}", ""},
		"nothing":                  {"", "the manifest is empty: begin with apiVersion: nexus.dev/v1alpha1"},
		"only comments":            {"# nothing\n---\n# here\n", "the manifest is empty"},
		"two":                      {hello + "---\n" + hello, "the manifest holds 2 NexusApps: keep one in each file"},
		"none":                     {secret + "---\n" + secret, "no document of the manifest is a NexusApp, only Secret, Secret"},
		"another kind":             {secret, `apiVersion: is "v1": write nexus.dev/v1alpha1`},
		"a list":                   {"- a\n", "is a list: write an object"},
		"text":                     {"hello", "is text: write an object"},
		"no kind":                  {strings.Replace(hello, "kind: NexusApp\n", "", 1), "kind: is required: write NexusApp"},
		"no apiVersion":            {strings.Replace(hello, "apiVersion: nexus.dev/v1alpha1\n", "", 1), "apiVersion: is required: write nexus.dev/v1alpha1"},
		"a duplicate key in JSON":  {`{"apiVersion": "nexus.dev/v1alpha1", "kind": "NexusApp", "kind": "NexusApp"}`, `duplicate field "kind": remove one of the two`},
		"a misspelt kind of ours":  {secret + "---\n" + strings.Replace(hello, "NexusApp", "Nexusapp", 1), `kind: is "Nexusapp": write NexusApp`},
		"an error in another file": {hello + "---\na: [\n", "not valid YAML: line 10"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app, problems := ReadManifest([]byte(test.manifest))
			if test.want == "" {
				if len(problems) > 0 || app == nil || app.Name != "hello" || len(app.Spec.Workflows) != 1 {
					t.Errorf("not read: %v", problems)
				}
				return
			}
			if len(problems) == 0 || !strings.Contains(problems[0].String(), test.want) {
				t.Errorf("got %v, want %s", problems, test.want)
			}
			if app != nil {
				t.Error("an app was returned beside the problems")
			}
		})
	}
}

// TestLinesCountFromTheTop checks that a message about the second document names the
// line of the file, not of the document.
func TestLinesCountFromTheTop(t *testing.T) {
	_, problems := ReadManifest([]byte(secret + "---\n" + hello + "  replicas: 1\n  replicas: 2\n"))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, `line 14: key "replicas" already set in map`) {
		t.Errorf("got %v, want line 14", problems)
	}
}

func TestReadManifestReportsEveryProblem(t *testing.T) {
	_, problems := ReadManifest([]byte(`
apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {lables: hello}
spec:
  environmentt: Development
  replicas: three
  workflows: []
`))
	var got []string
	for _, p := range problems {
		got = append(got, p.Field)
	}
	want := []string{"metadata.lables", "metadata.name", "spec.environment", "spec.environmentt", "spec.replicas", "spec.workflows"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStatusIsIgnored(t *testing.T) {
	app, problems := ReadManifest([]byte(hello + "status: {policyHash: x, unknown: 1}\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if app.Status.PolicyHash != "" {
		t.Error("the status of a manifest was taken")
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"rateLimit", "replicas", "requestsPerMinute", "timeoutSeconds"}
	for name, want := range map[string]string{
		"rateLimt": "did you mean rateLimit?", "ratelimit": "did you mean rateLimit?", "replica": "did you mean replicas?",
		"erplicas": "did you mean replicas?", "timeout": "did you mean timeoutSeconds?", "requestPerMinutes": "did you mean requestsPerMinute?",
		"tls": "remove it, or write one of rateLimit, replicas, requestsPerMinute, timeoutSeconds",
		"":    "remove it, or write one of rateLimit, replicas, requestsPerMinute, timeoutSeconds",
	} {
		if got := suggest(name, known); got != want {
			t.Errorf("suggest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := suggest("a", nil); got != "remove it" {
		t.Errorf("suggest with nothing known = %q", got)
	}
}

func TestProblemsOfRules(t *testing.T) {
	path := field.NewPath("spec", "x")
	number := int32(1)
	for want, err := range map[string]*field.Error{
		`spec.x: "a" is refused: write b`:                               field.Invalid(path, "a", "write b"),
		`spec.x: 1 is refused: write 2`:                                 field.Invalid(path, &number, "write 2"),
		`spec.x: write b`:                                               field.Invalid(path, "", "write b"),
		`spec.x: is required: write b`:                                  field.Required(path, "write b"),
		`spec.x: auth is required: write b`:                             field.Required(path, "auth is required: write b"),
		`spec.x: "a" stands twice: remove or rename one`:                field.Duplicate(path, "a"),
		`spec.x: write b`[:len(`spec.x: write b`)]:                      field.Forbidden(path, "write b"),
		`spec.x: Too long: may not be more than 3 bytes`:                field.TooLong(path, "", 3),
		`spec.x: "` + strings.Repeat("a", 79) + `… is refused: write b`: field.Invalid(path, strings.Repeat("a", 200), "write b"),
	} {
		if got := Problems(field.ErrorList{err})[0].String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestSchemaIsUnderstood finds anything in the CRD that the walker would pass over in
// silence.
func TestSchemaIsUnderstood(t *testing.T) {
	var visit func(s *schema, path string)
	visit = func(s *schema, path string) {
		switch s.Type {
		case "object", "array", "string", "integer", "boolean":
		case "":
			if !s.IntOrString && !s.PreserveUnknown {
				t.Errorf("%s has no type", path)
			}
		default:
			t.Errorf("%s has type %q", path, s.Type)
		}
		if s.Pattern != "" {
			if _, err := regexp.Compile(s.Pattern); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if !s.IntOrString {
				t.Errorf("%s has the pattern %s, which a user would read as it stands: write a CEL rule self.matches(r'...') with a message", path, s.Pattern)
			}
		}
		for name, property := range s.Properties {
			visit(property, path+"."+name)
		}
		for _, name := range s.Required {
			if s.Properties[name] == nil {
				t.Errorf("%s requires %s, which it does not have", path, name)
			}
		}
		if s.Type == "array" && s.Items == nil {
			t.Errorf("%s has no items", path)
		}
		if s.Items != nil {
			visit(s.Items, path+"[]")
		}
		if s.Values != nil {
			visit(s.Values, path+"{}")
		}
	}
	visit(appSchema().Properties["spec"], "spec")
}
