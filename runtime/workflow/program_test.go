package workflow

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// define returns a definition of the workflow "quote" with more members.
func define(members string) []byte {
	return []byte(`{"document":{"dsl":"1.0.3","namespace":"shop","name":"quote","version":"1.0.0"},` + members + `}`)
}

// mustCompile compiles a definition that has no problem.
func mustCompile(tb testing.TB, members string) *Program {
	tb.Helper()
	p, problems := Compile("quote", define(members), Environment{})
	if len(problems) > 0 {
		tb.Fatalf("compiling %s: %v", clip(members, 1000), problems[0])
	}
	return p
}

// value reads JSON as inputs are read.
func value(tb testing.TB, text string) any {
	tb.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		tb.Fatalf("reading %s: %v", text, err)
	}
	return numbers(v)
}

func TestRun(t *testing.T) {
	tests := []struct{ name, members, input, want string }{
		{"literals", `"do":[{"a":{"set":{"s":"x","n":1.5,"l":[1,null,true],"o":{}}}}]`, `{}`, `{"s":"x","n":1.5,"l":[1,null,true],"o":{}}`},
		{"expressions at any depth", `"do":[{"a":{"set":{"shape":"circle","size":"${ .configuration.size }","in":[{"x":"${ .configuration.size.width }"}]}}}]`,
			`{"configuration":{"size":{"width":6,"height":7}}}`, `{"shape":"circle","size":{"width":6,"height":7},"in":[{"x":6}]}`},
		{"one expression", `"do":[{"a":{"set":"${ .list | map(. + 1) }"}}]`, `{"list":[1,2]}`, `[2,3]`},
		{"expression over lines", `"do":[{"a":{"set":{"x":"  ${ .a |\n . + 1 }\n"}}}]`, `{"a":1}`, `{"x":2}`},
		{"set replaces", `"do":[{"a":{"set":{"x":1}}}]`, `{"y":2}`, `{"x":1}`},
		{"sequence without input", `"do":[{"setRed":{"set":{"colors":"${ .colors + [\"red\"] }"}}},{"setGreen":{"set":{"colors":"${ .colors + [\"green\"] }"}}}]`, `null`, `{"colors":["red","green"]}`},
		{"bare input.from", `"do":[{"a":{"input":{"from":".user.claims.subject"},"set":{"playerId":"${ . }"}}}]`, `{"user":{"claims":{"subject":"6Asn"}}}`, `{"playerId":"6Asn"}`},
		{"input.from object", `"do":[{"a":{"input":{"from":{"id":"${ .a }","k":1}},"set":"${ . }"}}]`, `{"a":2}`, `{"id":2,"k":1}`},
		{"output.as", `"do":[{"a":{"set":{"id":"${ .petId }"},"output":{"as":".id"}}},{"b":{"set":{"x":2},"output":{"as":"{ ids: [ $input, .x ] }"}}}]`, `{"petId":1}`, `{"ids":[1,2]}`},
		{"workflow input and output", `"input":{"from":".order"},"do":[{"a":{"set":{"total":"${ .net * 2 }"}}}],"output":{"as":"${ {gross: .total, net: $input.net} }"}`, `{"order":{"net":3}}`, `{"gross":6,"net":3}`},
		{"if false hands on", `"do":[{"a":{"if":".n > 5","set":{"big":true}}}]`, `{"n":3}`, `{"n":3}`},
		{"if true", `"do":[{"a":{"if":"${ .n > 5 }","set":{"big":true}}}]`, `{"n":7}`, `{"big":true}`},
		{"if null is false", `"do":[{"a":{"if":".missing","set":{"big":true}}}]`, `{"n":7}`, `{"n":7}`},
		{"data is not evaluated", `"do":[{"a":{"set":{"x":"${ .text }"}}},{"b":{"set":{"y":"${ .x }"}}}]`, `{"text":"${ 1 + 1 }"}`, `{"y":"${ 1 + 1 }"}`},
		{"variables", `"do":[{"first":{"set":"${ {t: $task.name, r: $task.reference, i: $workflow.input.a, n: $runtime.name, c: $context, d: $workflow.definition.document.version, s: ($workflow.startedAt.epoch.seconds > 0)} }"}}]`,
			`{"a":1}`, `{"t":"first","r":"/do/0/first","i":1,"n":"nexus","c":{},"d":"1.0.0","s":true}`},
		{"$task of each task", `"do":[{"one":{"set":{"a":"${ $task.name }"}}},{"two":{"set":{"a":"${ .a + $task.name }","i":"${ $task.input.a }"}}}]`, `{}`, `{"a":"onetwo","i":"one"}`},
		{"shadowed variable", `"do":[{"a":{"set":{"x":"${ .a as $input | $input }","y":"${ $input.a }"}}}]`, `{"a":1}`, `{"x":1,"y":1}`},
		{"big integers", `"do":[{"a":{"set":{"x":"${ .n + 1 }"}}}]`, `{"n":12345678901234567890123}`, `{"x":12345678901234567890124}`},
		{"not a number is null", `"do":[{"a":{"set":{"x":"${ nan }","y":"${ infinite }"}}}]`, `{}`, `{"x":null,"y":1.7976931348623157e308}`},
		{"fromjson", `"do":[{"a":{"set":"${ .s | fromjson }"}}]`, `{"s":"{\"a\":[1,2.5,12345678901234567890]}"}`, `{"a":[1,2.5,12345678901234567890]}`},
		{"regular expressions", `"do":[{"a":{"set":{"x":"${ .s | test(\"^a+$\") }","y":"${ .s | gsub(\"a\"; \"b\") }","z":"${ [.s | scan(\"a\")] | length }"}}}]`, `{"s":"aaa"}`, `{"x":true,"y":"bbb","z":3}`},
		{"updates", `"do":[{"a":{"set":"${ .n *= 3 | .m -= 1 | .o |= . + 1 | .l[1] = 9 | del(.d) }"}}]`, `{"n":2,"m":2,"o":2,"l":[1,2],"d":1}`, `{"n":6,"m":1,"o":3,"l":[1,9]}`},
		{"guarded functions", `"do":[{"a":{"set":{"c":"${ .l | contains([2]) }","i":"${ .s | index(\"b\") }","j":"${ .l | join(\"-\") }","s":"${ .l | sort | unique }","t":"${ [[1,2],[3]] | transpose }","p":"${ getpath([\"l\", 0]) }","n":"${ \"12\" | tonumber }","d":"${ .l - [2] }","x":"${ .l[.one] }"}}}]`,
			`{"l":[3,2,1],"s":"abc","one":1}`, `{"c":true,"i":1,"j":"3-2-1","s":[1,2,3],"t":[[1,3],[2,null]],"p":3,"n":12,"d":[3,1],"x":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustCompile(t, tt.members)
			input := value(t, tt.input)
			got, err := p.Run(t.Context(), input, nil, Options{})
			if err != nil {
				t.Fatalf("Run: %v (%v)", err, fault.As(err).Cause)
			}
			if want := value(t, tt.want); !sameJSON(t, got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if !reflect.DeepEqual(input, value(t, tt.input)) {
				t.Errorf("the input was changed to %v", input)
			}
		})
	}
}

// sameJSON compares values by their JSON text, in which 1 and 1.0 are the same.
func sameJSON(tb testing.TB, a, b any) bool {
	tb.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		tb.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		tb.Fatal(err)
	}
	return string(x) == string(y)
}

func BenchmarkRun(b *testing.B) {
	p := mustCompile(b, `"input":{"schema":{"document":{"type":"object","required":["order"],"properties":{"order":{"type":"object",
		"required":["id","customer","items"],"properties":{"id":{"type":"string","pattern":"^ord-"},"currency":{"enum":["EUR","USD"]},
		"customer":{"type":"object","required":["id"]},"items":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object",
		"required":["sku","quantity","price"],"properties":{"sku":{"type":"string","maxLength":32},"quantity":{"type":"integer","minimum":1},
		"price":{"type":"number","minimum":0}}}}}}}}}},
		"do":[{"price":{"set":{"id":"${ .order.id }","customer":"${ .order.customer.name }","gross":"${ .order.total * 1.2 }"}}}]`)
	computing := mustCompile(b, `"do":[{"price":{"set":{"id":"${ .order.id }","total":"${ [.order.items[] | .price * .quantity] | add }"}}}]`)
	input := value(b, order)
	b.Run("Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := p.Check(input); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FullCheck", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := p.inputSchema.compiled.Validate(input); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, program := range map[string]*Program{"Set": p, "JQ": computing} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := program.Run(context.Background(), input, nil, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// order is a realistic input of about 1 KiB.
const order = `{"order":{"id":"ord-2026-000187","currency":"EUR","placedAt":"2026-03-14T09:26:53Z",
"customer":{"id":"c-10482","name":"Amélie Durand","email":"amelie.durand@example.com","tier":"gold","vip":false,"phone":null,
"address":{"street":"12 rue de la République","city":"Lyon","zip":"69002","country":"FR"}},
"items":[{"sku":"KB-104-FR","title":"Mechanical keyboard, French layout","quantity":2,"price":129.9,"weight":1.35,"tags":["office","usb"]},
{"sku":"MS-220","title":"Wireless mouse","quantity":1,"price":49,"weight":0.12,"tags":["office"]},
{"sku":"HB-4","title":"USB hub with 4 ports","quantity":3,"price":24.5,"weight":0.2,"tags":[]}],
"shipping":{"method":"express","carrier":"chronopost","price":14.9,"instructions":"Leave at the desk; ring twice."},
"coupon":"SPRING-10","notes":"See https://example.com/orders/ord-2026-000187 for the quote and/or call.","total":397.2,"paid":true},
"options":{"notify":true,"channel":"email","retries":3,"timeoutSeconds":30,"locale":"fr-FR"}}`
