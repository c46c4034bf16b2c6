package prompt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// saying is a prompt with one message that says this.
func saying(content string) string {
	return `{"messages": [{"role": "user", "content": ` + content + `}]}`
}

// with is a prompt with these arguments.
func with(arguments, text string) string {
	return `{"arguments": ` + arguments + `, "messages": [{"role": "user", "content": "` + text + `"}]}`
}

// repeat is a list of n items.
func repeat(n int, item func(i int) string) string {
	var items []string
	for i := range n {
		items = append(items, item(i))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// TestProblems: each is the one problem that is found, with its place and what to do.
func TestProblems(t *testing.T) {
	const content = "/messages/0/content"
	for name, c := range map[string]struct{ prompt, pointer, says string }{
		"no JSON":            {`{`, "", "the prompt cannot be read: "},
		"a key twice":        {`{"messages": [], "messages": []}`, "", "messages"},
		"too long":           {saying(`"` + strings.Repeat("x", MaxBytes) + `"`), "", "at most 65536 are read: shorten it"},
		"a list":             {`[]`, "", "must be an object with title, description, arguments, messages, not a list"},
		"a misspelt field":   {`{"mesages": [], "messages": [{"role": "user", "content": "x"}]}`, "/mesages", `did you mean "messages"?`},
		"a number for title": {`{"title": 5, "messages": [{"role": "user", "content": "x"}]}`, "/title", "must be a text, not a number: put it in quotes"},
		"an empty title":     {`{"title": "", "messages": [{"role": "user", "content": "x"}]}`, "/title", "must not be empty"},
		"null":               {`{"description": null, "messages": [{"role": "user", "content": "x"}]}`, "/description", "must be a text, not null"},
		"no messages":        {`{}`, "/messages", "is required: write at least one message"},
		"an empty list":      {`{"messages": []}`, "/messages", "is required: write at least one message"},
		"an object for them": {`{"messages": {}}`, "/messages", "must be a list, not an object"},
		"too many":           {`{"messages": ` + repeat(65, func(int) string { return `{"role": "user", "content": "x"}` }) + `}`, "/messages", "has 65 items, at most 64 fit"},

		"no name":            {with(`[{}]`, "x"), "/arguments/0/name", "is required"},
		"an empty name":      {with(`[{"name": ""}]`, "x"), "/arguments/0/name", "must not be empty"},
		"no such name":       {with(`[{"name": "a b"}]`, "x"), "/arguments/0/name", "is not a name: use at most 64 letters"},
		"a name twice":       {with(`[{"name": "a"}, {"name": "a"}]`, "{{a}}"), "/arguments/1/name", `the argument "a" stands twice`},
		"a text for an item": {with(`["a"]`, "x"), "/arguments/0", "must be an object with name, title, description, required, values, not a text"},
		"required: yes":      {with(`[{"name": "a", "required": "yes"}]`, "{{a}}"), "/arguments/0/required", "must be true or false, not a text"},
		"a misspelt member":  {with(`[{"name": "a", "requird": true}]`, "{{a}}"), "/arguments/0/requird", `did you mean "required"?`},
		"a number as value":  {with(`[{"name": "a", "values": [5]}]`, "{{a}}"), "/arguments/0/values/0", "put it in quotes"},
		"a value twice":      {with(`[{"name": "a", "values": ["x", "x"]}]`, "{{a}}"), "/arguments/0/values/1", "stands twice"},
		"too many values":    {with(`[{"name": "a", "values": `+repeat(101, func(i int) string { return fmt.Sprintf(`"%d"`, i) })+`}]`, "{{a}}"), "/arguments/0/values", "has 101 items, at most 100 fit"},
		"too many arguments": {with(repeat(33, func(i int) string { return fmt.Sprintf(`{"name": "a%d"}`, i) }), "x"), "/arguments", "has 33 items, at most 32 fit"},
		"unused":             {with(`[{"name": "a"}, {"name": "b"}]`, "{{a}}"), "/arguments/1", `no text uses the argument "b": write {{b}} where its value goes`},
		"not declared":       {with(`[{"name": "language"}]`, "{{language}} {{lnguage}} {{lnguage}}"), content, `the argument "lnguage" is not declared: list it in arguments; or did you mean language?`},
		"none declared":      {saying(`"{{x}}"`), content, `the argument "x" is not declared: list it in arguments`},

		"no role":              {`{"messages": [{"content": "x"}]}`, "/messages/0/role", "is required: write user or assistant"},
		"another role":         {`{"messages": [{"role": "system", "content": "x"}]}`, "/messages/0/role", `"system" is not a role`},
		"a number for a role":  {`{"messages": [{"role": 1, "content": "x"}]}`, "/messages/0/role", "not a number"},
		"no content":           {`{"messages": [{"role": "user"}]}`, content, "is required: write a text, or an object with a type"},
		"a text for a message": {`{"messages": ["x"]}`, "/messages/0", "must be an object with role, content, not a text"},

		"an empty text":       {saying(`""`), content, "must not be empty"},
		"a list of contents":  {saying(`[{"type": "text", "text": "x"}]`), content, "must be a text, or an object with a type, not a list"},
		"no type":             {saying(`{"text": "x"}`), content + "/type", "is required: write one of audio, image, resource, resource_link, text"},
		"a misspelt type":     {saying(`{"type": "txt"}`), content + "/type", `did you mean "text"?`},
		"a text without text": {saying(`{"type": "text"}`), content + "/text", "is required"},
		"a text with data":    {saying(`{"type": "text", "text": "x", "data": "x"}`), content + "/data", `the field "data" does not exist`},
		"an image of nothing": {saying(`{"type": "image", "mimeType": "image/png"}`), content + "/data", "is required"},
		"no base64":           {saying(`{"type": "image", "mimeType": "image/png", "data": "%%"}`), content + "/data", "is not base64"},
		"base64 for URLs":     {saying(`{"type": "image", "mimeType": "image/png", "data": "_-8="}`), content + "/data", "is not base64"},
		"blanks for base64":   {saying(`{"type": "audio", "mimeType": "audio/wav", "data": " "}`), content + "/data", "is not base64"},
		"no media type":       {saying(`{"type": "image", "mimeType": "png", "data": "aGVsbG8="}`), content + "/mimeType", "write one such as image/png"},
		"another media type":  {saying(`{"type": "audio", "mimeType": "image/png", "data": "aGVsbG8="}`), content + "/mimeType", "must begin with audio/"},
		"no resource":         {saying(`{"type": "resource"}`), content + "/resource", "is required"},
		"an empty resource":   {saying(`{"type": "resource", "resource": {"uri": "a:b"}}`), content + "/resource", "holds one of text and blob"},
		"text and blob":       {saying(`{"type": "resource", "resource": {"uri": "a:b", "text": "x", "blob": "aGVsbG8="}}`), content + "/resource", "holds one of text and blob"},
		"no URI":              {saying(`{"type": "resource", "resource": {"uri": "a/b", "text": "x"}}`), content + "/resource/uri", "is not a URI"},
		"a link without URI":  {saying(`{"type": "resource_link", "name": "x"}`), content + "/uri", "is required"},
		"a link without name": {saying(`{"type": "resource_link", "uri": "a:b"}`), content + "/name", "is required"},
		"a negative size":     {saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "size": -1}`), content + "/size", "must be a number of bytes"},
		"an icon of nothing":  {saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "icons": [{}]}`), content + "/icons/0/src", "is required"},
		"icons as an object":  {saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "icons": {}}`), content + "/icons", "must be a list"},
		"a theme":             {saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "icons": [{"src": "a:b", "theme": "red"}]}`), content + "/icons/0/theme", "must be light or dark"},
		"a size as a text":    {saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "icons": [{"src": "a:b", "sizes": "48x48"}]}`), content + "/icons/0/sizes", "must be a list of sizes"},
		"an audience":         {saying(`{"type": "text", "text": "x", "annotations": {"audience": ["all"]}}`), content + "/annotations/audience/0", "must be user or assistant"},
		"an audience as text": {saying(`{"type": "text", "text": "x", "annotations": {"audience": "user"}}`), content + "/annotations/audience", "must be a list of user and assistant"},
		"a priority":          {saying(`{"type": "text", "text": "x", "annotations": {"priority": 2}}`), content + "/annotations/priority", "must be a number from 0 to 1"},
		"a time":              {saying(`{"type": "text", "text": "x", "annotations": {"lastModified": "today"}}`), content + "/annotations/lastModified", "is not a time"},
		"meta":                {saying(`{"type": "text", "text": "x", "_meta": []}`), content + "/_meta", "must be an object, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			p, problems := Compile("a", json.RawMessage(c.prompt))
			if p != nil || len(problems) != 1 || problems[0].Pointer != c.pointer || !strings.Contains(problems[0].Message, c.says) {
				t.Errorf("got %v, want one at %s that says %q", problems, c.pointer, c.says)
			}
		})
	}
}

// TestEveryProblemIsNamed: at once, up to a bound.
func TestEveryProblemIsNamed(t *testing.T) {
	_, problems := Compile("a", json.RawMessage(`{"title": 1, "arguments": [{"name": "x y"}], "messages": [{"role": "usr", "content": "{{z}}"}, {"role": "user"}]}`))
	var at []string
	for _, p := range problems {
		at = append(at, p.Pointer)
		if !strings.HasPrefix(p.String(), p.Pointer+": ") {
			t.Errorf("a line: %s", p)
		}
	}
	if want := []string{"/title", "/arguments/0/name", "/messages/0/role", "/messages/0/content", "/messages/1/content"}; !slices.Equal(at, want) {
		t.Errorf("at %q, want %q", at, want)
	}
	many := repeat(64, func(int) string { return `{"a": 1, "b": 2, "c": 3}` })
	if _, problems := Compile("a", json.RawMessage(`{"messages": `+many+`}`)); len(problems) != maxProblems {
		t.Errorf("%d problems", len(problems))
	}
}

// FuzzCompile: no text makes it panic, and what compiles renders to JSON that is a
// message of MCP, whatever the values.
func FuzzCompile(f *testing.F) {
	f.Add(review, "Go")
	f.Add(with(`[{"name": "a"}]`, "{{a}}{{ a }}{{{a}}}"), "{{a}}\xff\"")
	f.Add(saying(`{"type": "resource", "resource": {"uri": "a:b", "text": "x"}}`), "")
	f.Add(saying(`{"type": "resource_link", "uri": "a:b", "name": "x", "icons": [{"src": "a:b", "sizes": ["1"]}], "size": 1e3}`), "")
	f.Add(saying(`{"type": "text", "text": "x", "annotations": {"priority": 1e-400, "audience": null}, "_meta": {"n": 123456789012345678901234567890}}`), "")
	f.Fuzz(func(t *testing.T, content, value string) {
		p, problems := Compile("a", json.RawMessage(content))
		if (p == nil) != (len(problems) > 0) {
			t.Fatalf("%v beside %v", p, problems)
		}
		if p == nil {
			return
		}
		arguments := map[string]string{}
		for _, a := range p.Arguments() {
			arguments[a.Name] = value
		}
		messages, err := p.Render(arguments)
		if err != nil {
			return
		}
		for _, m := range messages {
			var content struct{ Type string }
			if err := json.Unmarshal(m.Content, &content); err != nil || content.Type == "" || m.Role != "user" && m.Role != "assistant" {
				t.Fatalf("%s: %s: %v", m.Role, m.Content, err)
			}
		}
	})
}
