package workflow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func raising(e string) string { return `"do":[{"a":{"raise":{"error":` + e + `}}}]` }

func TestRaise(t *testing.T) {
	for name, tt := range map[string]struct {
		members, sentence string
		status            int
		want              fault.Problem
	}{
		"all of it": {raising(`{"type":"urn:x","status":422,"title":"Not for sale","detail":"${ \"no \" + .sku }","instance":"/elsewhere"}`), "Not for sale: no KB-1", 422,
			fault.Problem{Type: "urn:x", Status: 422, Title: "Not for sale", Detail: "no KB-1", Instance: "/do/0/a"}},
		"type and status":  {raising(`{"type":"urn:x","status":409}`), "the workflow failed at /do/0/a: it raised an error", 409, fault.Problem{Type: "urn:x", Status: 409, Instance: "/do/0/a"}},
		"title only":       {raising(`{"type":"urn:x","status":409,"title":"Gone"}`), "Gone", 409, fault.Problem{Type: "urn:x", Status: 409, Title: "Gone", Instance: "/do/0/a"}},
		"detail only":      {raising(`{"type":"urn:x","status":409,"detail":"it is gone"}`), "it is gone", 409, fault.Problem{Type: "urn:x", Status: 409, Detail: "it is gone", Instance: "/do/0/a"}},
		"expressions":      {raising(`{"type":"${ \"urn:\" + .sku }","status":"${ .status }","title":"${ .sku }"}`), "KB-1", 404, fault.Problem{Type: "urn:KB-1", Status: 404, Title: "KB-1", Instance: "/do/0/a"}},
		"by name":          {`"use":{"errors":{"gone":{"type":"urn:x","status":410,"title":"${ .sku }"}}},` + raising(`"gone"`), "KB-1", 410, fault.Problem{Type: "urn:x", Status: 410, Title: "KB-1", Instance: "/do/0/a"}},
		"no error of HTTP": {raising(`{"type":"urn:x","status":302,"title":"Moved"}`), "Moved", 500, fault.Problem{Type: "urn:x", Status: 302, Title: "Moved", Instance: "/do/0/a"}},
		"a standard type of the author's": {raising(`{"type":"https://open-workflow-specification.org/spec/1.0.0/errors/communication","status":404,"title":"No such order"}`), "No such order", 404,
			fault.Problem{Type: errorTypes + "communication", Status: 404, Title: "No such order", Instance: "/do/0/a"}},
		"a timeout of the author's": {raising(`{"type":"https://open-workflow-specification.org/spec/1.0.0/errors/timeout","status":504,"title":"Too late"}`), "Too late", 504,
			fault.Problem{Type: errorTypes + "timeout", Status: 504, Title: "Too late", Instance: "/do/0/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := mustFail(t, compileFor(t, tt.members), map[string]any{"sku": "KB-1", "status": 404}, nil)
			if f.Code != fault.WorkflowFailed || f.Status != tt.status || f.Detail != tt.sentence || *f.Problem != tt.want {
				t.Errorf("got %s %d %q %+v", f.Code, f.Status, f.Detail, f.Problem)
			}
		})
	}
}

func TestRaiseWhatIsNoError(t *testing.T) {
	for _, e := range []string{
		`{"type":"${ .missing }","status":400}`, `{"type":"${ \"\" }","status":400}`, `{"type":"x","status":400,"title":"${ 5 }"}`, `{"type":"x","status":400,"detail":"${ .long }"}`,
		`{"type":"x","status":"${ .missing }"}`, `{"type":"x","status":"${ \"400\" }"}`, `{"type":"x","status":"${ 42 }"}`, `{"type":"x","status":"${ 400.5 }"}`, `{"type":"x","status":"${ .a.b.c }"}`,
	} {
		got, _ := mustFail(t, compileFor(t, raising(e)), map[string]any{"a": "text", "long": strings.Repeat("x", maxErrorText+1)}, nil)
		if !got.IsKind(ExpressionError) || got.Instance != "/do/0/a" {
			t.Errorf("%s: got %v", e, got)
		}
	}
}

// TestCallersAreTold: each kind of failure has a code and a status for the caller.
func TestCallersAreTold(t *testing.T) {
	failed := func(kind ErrorKind, status int) *recorder {
		return &recorder{answer: func(context.Context, string) (*HTTPResponse, error) {
			e := NewError(kind, errors.New("10.0.0.1"), "it is like this")
			if status != 0 {
				e.Status = status
			}
			return nil, e
		}}
	}
	for name, tt := range map[string]struct {
		caller *recorder
		code   fault.Code
		status int
	}{
		"configuration":                 {failed(ConfigurationError, 0), fault.WorkflowFailed, 500},
		"validation":                    {failed(ValidationError, 0), fault.WorkflowFailed, 400},
		"expression":                    {failed(ExpressionError, 0), fault.WorkflowFailed, 400},
		"authentication":                {failed(AuthenticationError, 0), fault.WorkflowFailed, 502},
		"authorization":                 {failed(AuthorizationError, 0), fault.WorkflowFailed, 500},
		"timeout":                       {failed(TimeoutError, 0), fault.Timeout, 504},
		"communication":                 {failed(CommunicationError, 0), fault.WorkflowFailed, 502},
		"communication that takes long": {failed(CommunicationError, 504), fault.Timeout, 504},
		"runtime":                       {failed(RuntimeError, 0), fault.WorkflowFailed, 500},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := mustFail(t, compileFor(t, httpTask("")), nil, &Host{Caller: tt.caller})
			if f.Code != tt.code || f.Status != tt.status || f.Detail != "the workflow failed at /do/0/a: it is like this" {
				t.Errorf("got %s %d %q", f.Code, f.Status, f.Detail)
			}
		})
	}
}

func TestErrorsDescribeThemselves(t *testing.T) {
	cause := errors.New("cause")
	e := NewError(TimeoutError, cause, "after %d s", 5)
	e.Instance = "/do/0/a"
	if e.Error() != "/do/0/a: Timeout Error: after 5 s" || !errors.Is(e, cause) || !e.IsKind(TimeoutError) || e.IsKind(RuntimeError) {
		t.Errorf("got %v", e)
	}
	for _, older := range olderErrorTypes {
		if e := (&Error{Type: older + "timeout"}); !e.IsKind(TimeoutError) {
			t.Errorf("%s is not known", e.Type)
		}
		if own := older + "my-own"; canonicalType(own) != own {
			t.Errorf("%s becomes %s", own, canonicalType(own))
		}
	}
	if (&Error{Title: "T"}).Error() != "T" {
		t.Error("an error without detail")
	}
}

// TestExpressionsAtTheEnds: errors outside of tasks say where they come from too.
func TestExpressionsAtTheEnds(t *testing.T) {
	for members, instance := range map[string]string{
		`"input":{"from":".a.b.c"},` + set:                                           "/input/from",
		`"output":{"as":"$input.a.b.c"},` + set:                                      "/output/as",
		`"output":{"as":"[\"x\" * 1000000, \"y\" * 100000]"},` + set:                 "/output/as",
		`"output":{"as":{"x":["${ \"x\" * 600000 }","${ \"y\" * 600000 }"]}},` + set: "/output/as",
		`"timeout":{"after":"${ .a.b.c }"},` + set:                                   "/timeout",
	} {
		e, f := mustFail(t, compileFor(t, members), map[string]any{"a": "text"}, nil)
		if e.Instance != instance || !strings.Contains(f.Detail, instance) {
			t.Errorf("%s: got %v, %s", members, e, f.Detail)
		}
	}
}
