package mcp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// names are those of a list, in its order.
func (a *app) names(revision, method, list, member string, header ...string) []string {
	a.t.Helper()
	got := a.send(revision, request(revision, method, ""), header...)
	var result map[string]json.RawMessage
	var items []map[string]any
	if err := json.Unmarshal(got.Result, &result); err != nil {
		a.t.Fatalf("%s: %v %s", method, err, got.text)
	}
	if err := json.Unmarshal(result[list], &items); err != nil {
		a.t.Fatalf("%s: %v %s", method, err, got.text)
	}
	var out []string
	for _, item := range items {
		name, _ := item[member].(string)
		out = append(out, name)
	}
	return out
}

// TestLists: everybody is shown what they may run, in order.
func TestLists(t *testing.T) {
	a := start(t, "")
	everyone := []string{"add", "call", "echo", "hours", "loop", "order", "pick", "raises", "scarce", "show_it", "steps"}
	with := func(more ...string) []string {
		return slices.Sorted(slices.Values(append(slices.Clone(everyone), more...)))
	}
	for _, revision := range []string{dated, stateless} {
		for _, c := range []struct {
			who       string
			tools     []string
			resources []string
		}{
			{"Bearer " + a.key, everyone, []string{"shop://hours"}},
			{"Bearer " + a.owner, with("owners", "logo"), []string{"shop://hours", "shop://logo"}},
			{a.token("scope", "shop.close"), with("scoped"), []string{"shop://hours"}},
		} {
			if got := a.names(revision, "tools/list", "tools", "name", "Authorization", c.who); !slices.Equal(got, c.tools) {
				t.Errorf("%s: the tools are %v, want %v", revision, got, c.tools)
			}
			want := slices.Clone(c.resources)
			for _, tool := range c.tools {
				want = append(want, workflowScheme+strings.TrimSuffix(tool, "_it"))
			}
			slices.Sort(want)
			if got := a.names(revision, "resources/list", "resources", "uri", "Authorization", c.who); !slices.Equal(got, want) {
				t.Errorf("%s: the resources are %v, want %v", revision, got, want)
			}
			if got := a.names(revision, "resources/templates/list", "resourceTemplates", "uriTemplate", "Authorization", c.who); !slices.Equal(got, []string{"execution://{id}", "shop://orders/{id}/{part}"}) {
				t.Errorf("%s: the templates are %v", revision, got)
			}
			if got := a.names(revision, "prompts/list", "prompts", "name", "Authorization", c.who); !slices.Equal(got, []string{"review"}) {
				t.Errorf("%s: the prompts are %v", revision, got)
			}
		}
	}
}

// TestTools: a tool is what its workflow says, as far as the revision knows it.
func TestTools(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{dated, stateless} {
		got := a.send(revision, request(revision, "tools/list", ""))
		var result struct {
			Tools []struct {
				Name, Title, Description  string
				InputSchema, OutputSchema json.RawMessage
				Annotations               map[string]any
			}
		}
		if err := json.Unmarshal(got.Result, &result); err != nil {
			t.Fatal(err)
		}
		for _, tool := range result.Tools {
			switch tool.Name {
			case "pick":
				if tool.Title != "Pick" || tool.Description != "Picks." || tool.Annotations["readOnlyHint"] != true || tool.Annotations["destructiveHint"] != false || string(tool.InputSchema) != `{"type":"object"}` {
					t.Errorf("%s: %+v", revision, tool)
				}
				if (tool.OutputSchema != nil) != (revision == stateless) {
					t.Errorf("%s: the output schema is %s", revision, tool.OutputSchema)
				}
			case "add":
				if string(tool.InputSchema) != `{"additionalProperties":false,"properties":{"a":{"type":"integer"}},"required":["a"],"type":"object"}` || tool.Annotations != nil {
					t.Errorf("%s: %s %v", revision, tool.InputSchema, tool.Annotations)
				}
			}
		}
	}
}

// TestReadResources: reading runs the workflow, under the same rules as calling it.
func TestReadResources(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{dated, stateless} {
		for _, c := range []struct {
			uri, key, code string
			want           map[string]string
		}{
			{"shop://hours", a.key, "", map[string]string{"text": "nine to five", "mimeType": "text/markdown"}},
			{"shop://logo", a.owner, "", map[string]string{"blob": "aGVsbG8=", "mimeType": "image/png"}},
			{"shop://logo", a.key, "not_found", nil},
			{"shop://orders/41/head", a.key, "", map[string]string{"text": `{"id":41,"part":"head"}`, "mimeType": "application/json"}},
			{"shop://orders/41/a%20b", a.key, "", map[string]string{"text": `{"id":41,"part":"a b"}`}},
			{"shop://orders/x/head", a.key, "schema_violation", nil},
			{"shop://orders/4.5/head", a.key, "schema_violation", nil},
			{"shop://orders/41/none", a.key, "schema_violation", nil},
			{"shop://orders/41/%2e%2e%2fetc", a.key, "invalid_input", nil},
			{"shop://orders/41/a%00b", a.key, "invalid_input", nil},
			{"shop://orders/41/%zz", a.key, "not_found", nil},
			{"shop://orders/41", a.key, "not_found", nil},
			{"shop://orders/41/a/b", a.key, "not_found", nil},
			{"shop://none", a.key, "not_found", nil},
			{"workflow://none", a.key, "not_found", nil},
			{"workflow://owners", a.key, "not_found", nil},
			{"workflow://api-only", a.owner, "not_found", nil},
			{"execution://none", a.key, "not_found", nil},
		} {
			got := a.send(revision, request(revision, "resources/read", `"uri":"`+c.uri+`"`), "Authorization", "Bearer "+c.key)
			if got.code() != c.code {
				t.Errorf("%s %s: %d %s", revision, c.uri, got.status, got.text)
				continue
			}
			if c.code != "" {
				if want := map[bool]int{false: 200, true: 400}[revision == stateless]; got.status != want || got.Error.Code != -32602 || c.code == "not_found" && got.Error.Data.URI != c.uri {
					t.Errorf("%s %s: %d %s", revision, c.uri, got.status, got.text)
				}
				continue
			}
			var result struct{ Contents []map[string]string }
			if err := json.Unmarshal(got.Result, &result); err != nil || len(result.Contents) != 1 || result.Contents[0]["uri"] != c.uri {
				t.Errorf("%s %s: %v %s", revision, c.uri, err, got.text)
				continue
			}
			for member, want := range c.want {
				if result.Contents[0][member] != want {
					t.Errorf("%s %s: %s is %q, want %q", revision, c.uri, member, result.Contents[0][member], want)
				}
			}
		}
		got := a.send(revision, request(revision, "resources/read", `"uri":"workflow://pick"`))
		for _, want := range []string{`\"tool\":\"pick\"`, `\"outputSchema\":`, `\"definition\":{`, `\"summary\":\"Picks.\"`} {
			if !strings.Contains(got.text, want) {
				t.Errorf("%s: workflow://pick lacks %s: %s", revision, want, got.text)
			}
		}
	}
}

// TestExecutions: what was started is read by who started it, and by nobody else.
func TestExecutions(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{dated, stateless} {
		got := a.send(revision, callOf(revision, "add", `{"a":1}`, `"nexus.dev/mode":"async"`))
		var result struct {
			Content []struct{ Type, URI string }
			Meta    struct {
				Execution struct {
					ID string `json:"run_id"`
				} `json:"nexus.dev/execution"`
			} `json:"_meta"`
		}
		if err := json.Unmarshal(got.Result, &result); err != nil || len(result.Content) != 2 || result.Content[1].Type != "resource_link" {
			t.Fatalf("%s: %v %s", revision, err, got.text)
		}
		uri := result.Content[1].URI
		if uri != executionScheme+result.Meta.Execution.ID {
			t.Errorf("%s: %s", revision, got.text)
		}
		read := request(revision, "resources/read", `"uri":"`+uri+`"`)
		// It is asked for until it ends; asking is limited.
		for {
			got := a.send(revision, read)
			if got.Error != nil {
				t.Fatalf("%s: %s", revision, got.text)
			}
			if strings.Contains(got.text, `\"status\":\"completed\"`) {
				if !strings.Contains(got.text, `\"outputs\":{\"sum\":2}`) {
					t.Errorf("%s: %s", revision, got.text)
				}
				break
			}
		}
		if got := a.send(revision, read, "Authorization", "Bearer "+a.owner); got.code() != "not_found" {
			t.Errorf("%s, somebody else: %s", revision, got.text)
		}
	}
}

func TestPrompts(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{dated, stateless} {
		got := a.send(revision, request(revision, "prompts/get", `"name":"review","arguments":{"order":"<4711>"}`))
		for _, want := range []string{`"text":"Review <4711>."`, `"role":"assistant"`, `"data":"aGVsbG8="`, `"description":"Has an order reviewed."`} {
			if !strings.Contains(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got.text), want) {
				t.Errorf("%s lacks %s: %s", revision, want, got.text)
			}
		}
		for _, params := range []string{`"name":"review"`, `"name":"review","arguments":{"order":"1","more":"2"}`, `"name":"none"`, `"name":"review","arguments":{"order":3}`,
			`"name":3`, `"name":"review","arguments":{"order":"../../etc"}`} {
			got := a.send(revision, request(revision, "prompts/get", params))
			if got.Error == nil || got.Error.Code != -32602 || got.code() != "invalid_input" || strings.Contains(got.text, "*mcp.") {
				t.Errorf("%s %s: %d %s", revision, params, got.status, got.text)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	a := start(t, "")
	const order = `"ref":{"type":"ref/resource","uri":"shop://orders/{id}/{part}"},"argument":{"name":"part","value":"`
	for _, revision := range []string{dated, stateless} {
		for params, want := range map[string]string{
			`"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"order","value":"47"}`: `"values":["4711","4712"]`,
			`"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"order","value":"x"}`:  `"values":[]`,
			`"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"other","value":""}`:   `"values":[]`,
			order + `h"}`: `"values":["head","heart"]`,
			`"ref":{"type":"ref/resource","uri":"shop://none/{id}"},"argument":{"name":"id","value":""}`: `"values":[]`,
		} {
			if got := a.send(revision, request(revision, "completion/complete", params)); !strings.Contains(got.text, want) {
				t.Errorf("%s %s: %d %s", revision, params, got.status, got.text)
			}
		}
		for _, params := range []string{`"ref":{"type":"ref/prompt","name":"none"},"argument":{"name":"order","value":""}`, `"argument":{"name":"order","value":""}`, `"ref":{"type":"ref/party"},"argument":{"name":"a","value":""}`} {
			if got := a.send(revision, request(revision, "completion/complete", params)); got.Error == nil || got.Error.Code != -32602 || got.code() != "invalid_input" {
				t.Errorf("%s %s: %d %s", revision, params, got.status, got.text)
			}
		}
	}
}

func TestSubscribe(t *testing.T) {
	a := start(t, "")
	for uri, code := range map[string]string{"shop://hours": "", "workflow://echo": "", "shop://logo": "not_found", "workflow://owners": "not_found", "shop://none": "not_found", "shop://orders/1/head": ""} {
		got := a.send(dated, request(dated, "resources/subscribe", `"uri":"`+uri+`"`))
		if got.code() != code || got.status != 200 || code != "" && got.Error.Data.URI != uri {
			t.Errorf("%s: %d %s", uri, got.status, got.text)
		}
		if got := a.send(dated, request(dated, "resources/unsubscribe", `"uri":"`+uri+`"`)); got.Error != nil {
			t.Errorf("%s: %s", uri, got.text)
		}
	}
}
