package rest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// summary is what is told of a workflow.
type summary struct {
	Name    string           `json:"name"`
	Version string           `json:"version"`
	Title   string           `json:"title,omitempty"`
	Summary string           `json:"summary,omitempty"`
	Execute string           `json:"execute"`
	Routes  []v1alpha1.Route `json:"routes,omitempty"`
	// Tool is the workflow's name over MCP, where it is served there.
	Tool         string          `json:"tool,omitempty"`
	InputSchema  json.RawMessage `json:"inputSchema,omitempty"`
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
}

// newEntry renders what of a workflow's replies never changes.
func newEntry(w *engine.Workflow, metrics *telemetry.Metrics) (*entry, error) {
	p := w.Program
	text, err := json.Marshal(summary{
		Name: w.Name, Version: p.Version(), Title: p.Title(), Summary: p.Summary(),
		Execute: "/workflows/" + w.Name + "/execute", Routes: w.Routes, Tool: w.MCP.ToolName, InputSchema: p.InputSchema(), OutputSchema: p.OutputSchema(),
	})
	if err != nil {
		return nil, fmt.Errorf("workflow %q: rendering its description: %w", w.Name, err)
	}
	e := &entry{workflow: w, metrics: metrics.Requests(string(v1alpha1.ChannelREST), w.Name), summary: text}
	e.limits = wire.NewLimits(w.Policies)
	e.policyHeader = []string{e.limits.Policy}
	b := jsontext.AppendString([]byte(`,"workflow_id":`), w.Name)
	b = jsontext.AppendString(append(b, `,"version":`...), p.Version())
	e.tail = string(append(b, `,"run_id":"`...))
	return e, nil
}

// index serves GET /. A browser is shown the page for people, where there is one.
func (x *exchange) index() error {
	if x.handler.docs {
		x.w.Header()["Vary"] = []string{"Accept"}
		if prefersPage(x.r.Header["Accept"]) {
			x.redirect(http.StatusFound, "docs")
			return nil
		}
	}
	b := jsontext.AppendString(append(x.out[:0], `{"name":`...), x.handler.engine.Name())
	b = append(b, `,"health":"/health","openapi":"/openapi.json"`...)
	if x.handler.docs {
		b = append(b, `,"docs":"/docs"`...)
	}
	return x.writeList(append(b, `,"workflows":[`...), "]}\n")
}

// list serves GET /workflows.
func (x *exchange) list() error {
	return x.writeList(append(x.out[:0], `{"workflows":[`...), "]}\n")
}

// writeList appends the workflows that the caller may run.
func (x *exchange) writeList(b []byte, end string) error {
	workflows, err := x.handler.engine.List(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	for i, w := range workflows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, x.handler.entries[w.Name].summary...)
	}
	b = append(b, end...)
	x.out = b
	x.write(http.StatusOK, jsonType, b)
	return nil
}

// describe serves GET /workflows/{name}.
func (x *exchange) describe() error {
	x.call.Workflow = x.vars.values[0]
	w, err := x.handler.engine.Describe(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	x.out = append(append(x.out[:0], x.handler.entries[w.Name].summary...), '\n')
	x.write(http.StatusOK, jsonType, x.out)
	return nil
}

// healthy serves GET /health, without a credential and without a limit.
func (x *exchange) healthy() error {
	if x.handler.health.Ready() {
		x.write(http.StatusOK, jsonType, []byte(`{"status":"healthy"}`+"\n"))
		return nil
	}
	x.write(http.StatusServiceUnavailable, jsonType, []byte(`{"status":"unavailable"}`+"\n"))
	return nil
}
