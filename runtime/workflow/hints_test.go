package workflow

import "testing"

func metadata(mcp string) string {
	return doc(`"dsl":"1.0.3","namespace":"shop","name":"quote","version":"1.0.0","metadata":{"team":{"x":1},"mcp":` + mcp + `}`)
}

func TestHints(t *testing.T) {
	p, problems := Compile("quote", []byte(metadata(`{"readOnlyHint":true,"destructiveHint":false,"openWorldHint":true}`)), app())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h := p.Hints()
	if h.ReadOnly == nil || !*h.ReadOnly || h.Destructive == nil || *h.Destructive || h.OpenWorld == nil || !*h.OpenWorld || h.Idempotent != nil {
		t.Errorf("got %+v", h)
	}
	if h := mustCompile(t, set).Hints(); h != (Hints{}) {
		t.Errorf("without metadata there is %+v", h)
	}
}

func TestWrongHints(t *testing.T) {
	testWrong(t, []wrong{
		{"misspelt", metadata(`{"readOnly":true}`), "/document/metadata/mcp/readOnly", "known are readOnlyHint, destructiveHint, idempotentHint, openWorldHint"},
		{"of another thing", metadata(`{"title":"x"}`), "/document/metadata/mcp/title", `the field "title" does not exist`},
		{"no boolean", metadata(`{"idempotentHint":"yes"}`), "/document/metadata/mcp/idempotentHint", "must be true or false, not a string"},
		{"no object", metadata(`true`), "/document/metadata/mcp", "must be an object, not a boolean"},
	})
}
