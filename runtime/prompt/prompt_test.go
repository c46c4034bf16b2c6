package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// compiled is a prompt that is in order.
func compiled(tb testing.TB, content string) *Prompt {
	tb.Helper()
	p, problems := Compile("review", json.RawMessage(content))
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	return p
}

// rendered is the role and the content of each message.
func rendered(tb testing.TB, p *Prompt, arguments map[string]string) []string {
	tb.Helper()
	messages, err := p.Render(arguments)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, m := range messages {
		out = append(out, m.Role+" "+string(m.Content))
	}
	return out
}

const review = `{"title": "Review", "description": "Reviews code.",
	"arguments": [
		{"name": "language", "title": "Language", "description": "of the code", "required": true, "values": ["Go", "go-template", "Rust"]},
		{"name": "focus"}],
	"messages": [
		{"role": "user", "content": "Review this {{language}} code{{ focus }}: {{ not a name }} {{{language}}} {{"},
		{"role": "assistant", "content": {"type": "text", "text": "Gladly.", "annotations": {"audience": ["user"], "priority": 0.5, "lastModified": "2026-01-31T12:00:00Z"}}}]}`

func TestPrompt(t *testing.T) {
	p := compiled(t, review)
	if p.Name() != "review" || p.Title() != "Review" || p.Description() != "Reviews code." {
		t.Errorf("got %q, %q, %q", p.Name(), p.Title(), p.Description())
	}
	want := Argument{Name: "language", Title: "Language", Description: "of the code", Required: true, Values: []string{"Go", "go-template", "Rust"}}
	if a := p.Arguments(); len(a) != 2 || fmt.Sprint(a[0]) != fmt.Sprint(want) || a[1].Name != "focus" || a[1].Required {
		t.Errorf("got %+v", a)
	}
	got := rendered(t, p, map[string]string{"language": "Go", "focus": " for speed"})
	if want := []string{`user {"text":"Review this Go code for speed: {{ not a name }} {Go} {{","type":"text"}`,
		`assistant {"annotations":{"audience":["user"],"lastModified":"2026-01-31T12:00:00Z","priority":0.5},"text":"Gladly.","type":"text"}`}; !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A value is a text, whatever it holds: neither a template nor JSON.
func TestValuesAreTexts(t *testing.T) {
	p := compiled(t, review)
	value := "{{focus}}\"}\n\x00<b> {{ language }}"
	got, err := p.Render(map[string]string{"language": value, "focus": "{{language}}"})
	if err != nil {
		t.Fatal(err)
	}
	var content struct{ Type, Text string }
	if err := json.Unmarshal(got[0].Content, &content); err != nil {
		t.Fatal(err)
	}
	if want := "Review this " + value + " code{{language}}: {{ not a name }} {" + value + "} {{"; content.Text != want || content.Type != "text" {
		t.Errorf("got %q", content)
	}
	if again, err := p.Render(map[string]string{"language": "Go"}); err != nil || !strings.Contains(string(again[0].Content), "Review this Go code:") {
		t.Errorf("an optional argument that is left out: %s, %v", again[0].Content, err)
	}
}

func TestEveryContent(t *testing.T) {
	p := compiled(t, `{"arguments": [{"name": "uri"}, {"name": "x"}], "messages": [
		{"role": "user", "content": {"type": "image", "data": "aGVs\nbG8=", "mimeType": "image/png", "_meta": {"a": 1}}},
		{"role": "user", "content": {"type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav"}},
		{"role": "user", "content": {"type": "resource", "resource": {"uri": "{{uri}}", "mimeType": "text/plain; charset=utf-8", "text": "{{x}}!"}}},
		{"role": "user", "content": {"type": "resource", "resource": {"uri": "file:///a", "blob": "aGVsbG8="}}},
		{"role": "user", "content": {"type": "resource_link", "uri": "orders://{{x}}", "name": "{{x}}", "title": "{{x}}", "description": "{{x}}", "mimeType": "text/plain", "size": 5,
			"icons": [{"src": "https://example.com/{{x}}.png", "mimeType": "image/png", "sizes": ["48x48"], "theme": "dark"}]}}]}`)
	got := rendered(t, p, map[string]string{"uri": "test://a", "x": "1"})
	want := []string{
		`user {"_meta":{"a":1},"data":"aGVsbG8=","mimeType":"image/png","type":"image"}`,
		`user {"data":"aGVsbG8=","mimeType":"audio/wav","type":"audio"}`,
		`user {"resource":{"mimeType":"text/plain; charset=utf-8","text":"1!","uri":"test://a"},"type":"resource"}`,
		`user {"resource":{"blob":"aGVsbG8=","uri":"file:///a"},"type":"resource"}`,
		`user {"description":"1","icons":[{"mimeType":"image/png","sizes":["48x48"],"src":"https://example.com/1.png","theme":"dark"}],"mimeType":"text/plain","name":"1","size":5,"title":"1","type":"resource_link","uri":"orders://1"}`,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// TestRenderRefuses: the caller learns what is wrong, and no value is said back.
func TestRenderRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxRendered/2)
	for name, c := range map[string]struct {
		prompt    string
		arguments map[string]string
		detail    string
		pointers  []string
	}{
		"nothing given": {review, nil, "the arguments do not match the prompt: /arguments/language is required", []string{"/arguments/language"}},
		"a misspelt one": {review, map[string]string{"lnguage": "secret"},
			"the arguments do not match the prompt: /arguments/language is required", []string{"/arguments/language", "/arguments/lnguage"}},
		"one more": {review, map[string]string{"language": "Go", "a/b": "secret"},
			"the arguments do not match the prompt: /arguments/a~1b is not an argument of the prompt: known are language, focus", []string{"/arguments/a~1b"}},
		"a long name": {review, map[string]string{"language": "Go", long: "secret"},
			"is not an argument of the prompt", []string{"/arguments/" + long[:64] + "..."}},
		"too long together": {review, map[string]string{"language": long, "focus": "secret"},
			"with these arguments the prompt is longer than 1 MiB: shorten them", nil},
		"no URI": {`{"arguments": [{"name": "uri"}], "messages": [{"role": "user", "content": {"type": "resource", "resource": {"uri": "{{uri}}", "text": "x"}}}]}`,
			map[string]string{"uri": "secret"}, "the arguments make no URI: write one with a scheme", []string{"/arguments/uri"}},
	} {
		_, err := compiled(t, c.prompt).Render(c.arguments)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Code != fault.InvalidInput || !strings.Contains(f.Detail, c.detail) || strings.Contains(fmt.Sprint(f), "secret") {
			t.Errorf("%s: got %.300v", name, err)
			continue
		}
		var pointers []string
		for _, v := range f.Violations {
			pointers = append(pointers, v.Pointer)
		}
		if !slices.Equal(pointers, c.pointers) {
			t.Errorf("%s: at %.300q, want %.300q", name, pointers, c.pointers)
		}
	}
}

func TestComplete(t *testing.T) {
	p := compiled(t, review)
	for _, c := range []struct {
		argument, prefix string
		values           []string
		ok               bool
	}{
		{"language", "", []string{"Go", "go-template", "Rust"}, true},
		{"language", "GO", []string{"Go", "go-template"}, true},
		{"language", "c", nil, true},
		{"focus", "", nil, true},
		{"other", "", nil, false},
	} {
		if values, ok := p.Complete(c.argument, c.prefix); !slices.Equal(values, c.values) || ok != c.ok {
			t.Errorf("%s, %q: got %q, %v", c.argument, c.prefix, values, ok)
		}
	}
}
