package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const answer = `{"total":1.50,"big":12345678901234567890,"on":"no","text":"5","note":"a<b\u001b[2J","long":"one\ntwo","items":[{"n":1},[]],"none":null,"empty":{},"ok":true,"e":1e3}`

func TestWriteValue(t *testing.T) {
	for _, c := range []struct {
		format    Format
		raw, want string
	}{
		{JSON, answer, `{
  "total": 1.50,
  "big": 12345678901234567890,
  "on": "no",
  "text": "5",
  "note": "a<b\u001b[2J",
  "long": "one\ntwo",
  "items": [
    {
      "n": 1
    },
    []
  ],
  "none": null,
  "empty": {},
  "ok": true,
  "e": 1e3
}
`},
		{YAML, answer, `total: 1.50
big: 12345678901234567890
"on": "no"
text: "5"
note: "a<b\e[2J"
long: |-
  one
  two
items:
- "n": 1
- []
none: null
empty: {}
ok: true
e: 1e3
`},
		{Table, answer, `total  1.50
big    12345678901234567890
on     no
text   5
note   "a<b\u001b[2J"
long   "one\ntwo"
items  [{"n":1},[]]
none   null
empty  {}
ok     true
e      1e3
`},
		{Table, `[1, "a"]`, "[\n  1,\n  \"a\"\n]\n"},
		{Table, `"a"`, "\"a\"\n"},
		{Table, `{}`, ""},
		{Table, `{"` + "\u009b" + `2J": ""}`, "2J  \"\"\n"},
		// What a terminal would act on is escaped, and means the same.
		{JSON, "\"\u009b2J\u202e\U000e0041é\u007f\"", `"\u009b2J\u202e\udb40\udc41é\u007f"` + "\n"},
		{YAML, "\"\u009b2J\u202e\U000e0041é\"", `"\x9B2J\u202e\U000E0041é"` + "\n"},
		{YAML, `7`, "7\n"},
	} {
		var out strings.Builder
		if err := WriteValue(&out, c.format, []byte(c.raw)); err != nil || out.String() != c.want {
			t.Errorf("%s of %s: %v\n%s\nwant\n%s", c.format, c.raw, err, out.String(), c.want)
		}
	}
	for _, format := range []Format{JSON, YAML, Table} {
		if err := WriteValue(&strings.Builder{}, format, []byte(`{"a":`)); err == nil {
			t.Errorf("%s of half an object is written", format)
		}
	}
}

// TestYAMLMeansTheSame: what is written as YAML reads as the JSON did, also by readers of
// YAML 1.1.
func TestYAMLMeansTheSame(t *testing.T) {
	const raw = `{"y":"yes","n":"0x1F","d":"2026-01-02","m":"1:30","q":"it's \"so\"","h":"# no","c":"a: b","s":" x ","t":"~","u":"\ud83d\ude00","a":["- x","",null,-0.5]}`
	var out strings.Builder
	if err := WriteYAML(&out, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(raw), &want); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	w, _ := yaml.Marshal(want)
	if g, _ := yaml.Marshal(got); string(g) != string(w) {
		t.Errorf("%s\nreads as\n%s\nwant\n%s", out.String(), g, w)
	}
}

func TestWriteTable(t *testing.T) {
	var out strings.Builder
	if err := WriteTable(&out, [][]string{{"A", "LONGER", "C"}, {"äöü", "", "\x1b[31mred"}, {"1"}, {}, {"a line that is wider than any column"}}); err != nil {
		t.Fatal(err)
	}
	if want := "A    LONGER  C\näöü          [31mred\n1\n\na line that is wider than any column\n"; out.String() != want {
		t.Errorf("%q\nwant\n%q", out.String(), want)
	}
}

func TestWriteWorkflow(t *testing.T) {
	var out strings.Builder
	err := WriteWorkflow(&out, Workflow{
		Name: "order", Version: "1.0.0", Title: "Order\x1b[2J", Execute: "/workflows/order/execute", Tool: "place_order",
		Routes: []v1alpha1.Route{{Method: "POST", Path: "/api/orders"}}, InputSchema: []byte(orderSchema), OutputSchema: []byte(`{"type": "string", "description": "Its id"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `Name:      order
Version:   1.0.0
Title:     Order[2J
Execute:   POST /workflows/order/execute
Routes:    POST /api/orders
MCP tool:  place_order

INPUT     TYPE             REQUIRED  DESCRIPTION
sku       string           yes       What is ordered
note      string | null    no        (default "none")
quantity  integer          no        How many
express   boolean          no
tags      array of string  no
size      "s" | "m"        no
level     1 | 2            no
from      string           no        Where from
fixed     "x"              no
any       any              no
lost      any              no
loop      any              no

OUTPUT  TYPE    REQUIRED  DESCRIPTION
(any)   string            Its id
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := WriteWorkflow(&out, Workflow{Name: "a", Version: "1", Execute: "/x"}); err != nil || !strings.HasSuffix(out.String(), "Inputs:   any; the workflow has no input schema\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	tell := Progress(&out, false)
	tell(Task{Name: "ask", Kind: "call http", Status: "completed", Took: 1.26})
	tell(Task{Name: "a\x1b[2J", Kind: "set", Status: "skipped"})
	failed := Task{Name: "b", Kind: "raise", Status: "faulted", Took: 0.0126}
	failed.Error = &TaskError{Status: 404}
	tell(failed)
	Progress(&out, true)(Task{Name: "c", Kind: "try", Status: "retried"})
	want := "+ ask (call http) completed after 1.3s\n- a[2J (set) skipped\n! b (raise) faulted after 13ms: status 404\n\x1b[33m~\x1b[0m c (try) retried\n"
	if out.String() != want {
		t.Errorf("%q\nwant\n%q", out.String(), want)
	}
}
