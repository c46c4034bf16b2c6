package workflow

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func emitting(with string) string { return `"do":[{"a":{"emit":{"event":{"with":` + with + `}}}}]` }

func TestEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := &recorder{}
		p := compileFor(t, emitting(`{"type":"com.example.done.v1","subject":"${ .id }","data":{"n":"${ .n }"},"myattribute":7}`))
		var ids []any
		for range 2 {
			got := mustRun(t, p, map[string]any{"id": "o-1", "n": 5}, &Host{Caller: caller}).(map[string]any)
			ids = append(ids, got["id"])
			delete(got, "id")
			want := map[string]any{"specversion": "1.0", "type": "com.example.done.v1", "source": "/shop/quote/1.0.0", "time": time.Now().UTC().Format(time.RFC3339Nano),
				"subject": "o-1", "datacontenttype": "application/json", "data": map[string]any{"n": 5}, "myattribute": 7}
			if !sameJSON(t, got, want) {
				t.Errorf("got %v", got)
			}
		}
		if len(caller.events) != 2 || ids[0] == ids[1] || ids[0] == "" {
			t.Errorf("got %v", ids)
		}
	})
}

// TestEmitTakesIDsFromItsHost: chance comes from outside, so that a run can be repeated.
func TestEmitTakesIDsFromItsHost(t *testing.T) {
	p := compileFor(t, emitting(`{"type":"t"}`))
	got := mustRun(t, p, nil, &Host{NewID: func() string { return "e-7" }}).(map[string]any)
	if got["id"] != "e-7" {
		t.Errorf("the id is %v", got["id"])
	}
}

func TestEmitWithEverything(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"all attributes, and no sink", emitting(`{"id":"e-1","source":"https://a.example/{x}","type":"${ .type }","time":"2026-01-02T03:04:05Z","datacontenttype":"text/plain","data":"plain","specversion":"1.0"}`), `{"type":"t"}`,
			`{"id":"e-1","source":"https://a.example/{x}","type":"t","time":"2026-01-02T03:04:05Z","datacontenttype":"text/plain","data":"plain","specversion":"1.0"}`},
		{"no data", emitting(`{"id":"e-1","source":"s","type":"t","time":"2026-01-02T03:04:05+01:00"}`), `{}`, `{"id":"e-1","source":"s","type":"t","time":"2026-01-02T03:04:05+01:00","specversion":"1.0"}`},
	})
}

func TestEmitFails(t *testing.T) {
	for name, tt := range map[string]struct {
		with    string
		refusal error
		kind    ErrorKind
	}{
		"a type that is none":   {`{"type":"${ .missing }"}`, nil, ExpressionError},
		"a source that is none": {`{"type":"t","source":"${ 5 }"}`, nil, ExpressionError},
		"a time that is none":   {`{"type":"t","time":"yesterday"}`, nil, ExpressionError},
		"an expression":         {`{"type":"t","data":"${ .a.b.c }"}`, nil, ExpressionError},
		"no delivery":           {`{"type":"t"}`, errors.New("10.0.0.1 answers 503"), CommunicationError},
		"an error of ours":      {`{"type":"t"}`, NewError(ConfigurationError, nil, "the sink is no URL"), ConfigurationError},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := mustFail(t, compileFor(t, emitting(tt.with)), map[string]any{"a": "text"}, &Host{Caller: &recorder{refusal: tt.refusal}})
			if !e.IsKind(tt.kind) || e.Instance != "/do/0/a" {
				t.Errorf("got %v", e)
			}
		})
	}
}
