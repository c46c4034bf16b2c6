package config

import (
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// withPrompts is an app that has these prompts, all in entries of the ConfigMap prompts.
func withPrompts(tb testing.TB, keys ...string) *v1alpha1.NexusApp {
	tb.Helper()
	app := withWorkflows(tb, asObject("a", `{"do":[]}`))
	for _, key := range keys {
		app.Spec.Prompts = append(app.Spec.Prompts, v1alpha1.Prompt{Name: key, ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: "prompts", Key: key}})
	}
	return app
}

// A prompt is the same document whether it is written in YAML or in JSON, and is loaded
// as it was rendered.
func TestPromptsAreRendered(t *testing.T) {
	const text = "# a comment\nmessages:\n- {role: user, content: 'on <b>'}\ntitle: yes\n"
	const want = `{"messages":[{"content":"on <b>","role":"user"}],"title":"yes"}`
	app := withPrompts(t, "yaml", "json")
	app.Spec.PublicURL = "http://localhost:8000"
	d, errs := FromApp(app, entries(map[string]string{"prompts/yaml": text, "prompts/json": want}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	raw, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(raw, Hash(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []Document{d, loaded} {
		if p := document.Prompts; len(p) != 2 || p[0].Name != "yaml" || string(p[0].Content) != want || p[1].Name != "json" || string(p[1].Content) != want {
			t.Errorf("got %s", p)
		}
		if document.PublicURL != app.Spec.PublicURL {
			t.Errorf("publicURL is %q", document.PublicURL)
		}
	}
	kept, err := Kept(app, raw)
	if err != nil {
		t.Fatal(err)
	}
	again, errs := FromApp(app, kept)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got, err := again.Marshal(); err != nil || string(got) != string(raw) {
		t.Errorf("rendered again from itself the document is\n%s\nwant\n%s (%v)", got, raw, err)
	}
	other := withPrompts(t, "another")
	if _, errs := FromApp(other, kept); len(errs) != 1 || !IsReference(errs[0]) || errs[0].Field != "spec.prompts[0].configMapRef" {
		t.Errorf("what the document does not hold: %v", errs)
	}
}

func TestPromptsThatCannotBeUsed(t *testing.T) {
	long := strings.Repeat("x", v1alpha1.MaxPromptBytes)
	for name, c := range map[string]struct {
		texts     map[string]string
		message   string
		reference bool
	}{
		"missing":  {nil, "put the prompt, in YAML or JSON there", true},
		"no YAML":  {map[string]string{"prompts/a": "a: b: c"}, `entry "a" of ConfigMap "prompts": the prompt cannot be read: line 1, column 5: `, false},
		"too long": {map[string]string{"prompts/a": "# " + long}, `entry "a" of ConfigMap "prompts": the prompt cannot be read: has 65538 bytes, at most 65536 are read`, false},
		"empty":    {map[string]string{"prompts/a": ""}, `entry "a" of ConfigMap "prompts": the prompt cannot be read: is empty`, false},
	} {
		t.Run(name, func(t *testing.T) {
			draft, errs := Draft(withPrompts(t, "a"), entries(c.texts))
			if len(errs) != 1 || errs[0].Field != "spec.prompts[0].configMapRef" || IsReference(errs[0]) != c.reference || !strings.Contains(Problems(errs)[0].Message, c.message) {
				t.Errorf("got %v", Problems(errs))
			}
			if len(draft.Prompts) != 1 || len(draft.Prompts[0].Content) != 0 {
				t.Errorf("the draft holds %s", draft.Prompts)
			}
		})
	}
}

func TestPromptsAreBoundedInTheDocument(t *testing.T) {
	d, errs := FromApp(withPrompts(t, "a"), entries(map[string]string{"prompts/a": "messages: []"}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for size, want := range map[int]string{v1alpha1.MaxPromptBytes: "", v1alpha1.MaxPromptBytes + 1: "prompts[0]: the content of \"a\" has 65537 bytes, 1 to 65536 fit"} {
		d.Prompts[0].Content = []byte(`"` + strings.Repeat("x", size-2) + `"`)
		raw, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(raw, ""); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %.300v", size, err)
		}
	}
}
