package rest

import (
	"net/http"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// idempotencyKey reads the header of that name
// (draft-ietf-httpapi-idempotency-key-header-07); it is empty when there is none.
func idempotencyKey(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", fault.New(fault.InvalidInput, "the header Idempotency-Key is there more than once: send one")
	}
	// The draft has it in quotes, as a structured field; most clients send it bare.
	key := values[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	return key, execution.CheckIdempotencyKey(key)
}

// setReplayed tells that the reply is one that was given before.
func (x *exchange) setReplayed() {
	if x.call.Replayed {
		x.w.Header()["Idempotency-Replayed"] = []string{"true"}
	}
}

// writeStarted tells of an execution that was started, and where it is.
func (x *exchange) writeStarted() error {
	header := x.w.Header()
	header["Location"] = []string{"/executions/" + x.call.Execution.ID}
	x.setRateLimit()
	x.setReplayed()
	return x.writeExecution(http.StatusAccepted, x.call.Execution)
}

// execution serves GET /executions/{id}: how it stands, or its events for those who
// accept a stream of them.
func (x *exchange) execution() error {
	id := x.vars.values[0]
	events := acceptsEvents(x.r.Header["Accept"])
	after := 0
	if events {
		var err error
		if after, err = lastEventID(x.r.Header["Last-Event-Id"]); err != nil {
			return err
		}
	}
	if events && after == 0 {
		return x.stream(id, 0)
	}
	found, err := x.handler.engine.Execution(x.r.Context(), &x.call, id)
	switch {
	case err != nil:
		return err
	case !events:
		return x.writeExecution(http.StatusOK, found)
	case found.Status != execution.Running && after >= found.LastEvent:
		// This is how a browser is told not to come back for more.
		x.w.WriteHeader(http.StatusNoContent)
		x.wrote = true
		return nil
	}
	return x.stream(id, after)
}

// cancelExecution serves DELETE /executions/{id}. One that has ended stays as it is.
func (x *exchange) cancelExecution() error {
	found, err := x.handler.engine.CancelExecution(x.r.Context(), &x.call, x.vars.values[0])
	if err != nil {
		return err
	}
	status := http.StatusOK
	if found.Status == execution.Running {
		status = http.StatusAccepted
	}
	return x.writeExecution(status, found)
}

// executions serves GET /executions: the caller's last ones, without their outputs.
func (x *exchange) executions() error {
	list, err := x.handler.engine.ListExecutions(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	b := x.out[:0]
	b = append(b, `{"executions":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendExecution(b, list[i])
	}
	b = append(b, "]}\n"...)
	x.out = b
	x.write(http.StatusOK, jsonType, b)
	return nil
}

func (x *exchange) writeExecution(status int, e execution.Execution) error {
	x.out = append(wire.AppendExecution(x.out[:0], e), '\n')
	if err := x.afford(x.out); err != nil {
		return err
	}
	if e.Status == execution.Running {
		x.w.Header()["Retry-After"] = []string{"1"}
	}
	x.write(status, jsonType, x.out)
	return nil
}
