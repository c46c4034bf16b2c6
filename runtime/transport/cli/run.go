package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// Mode is how the outcome of a run is learned.
type Mode string

// The modes.
const (
	// Sync waits for the outputs; who goes away ends the run.
	Sync Mode = "sync"
	// Async does not wait.
	Async Mode = "async"
	// Stream follows the run, task by task.
	Stream Mode = "stream"
)

// Run is a run of a workflow.
type Run struct {
	Workflow string
	// Inputs are a JSON object.
	Inputs json.RawMessage
	Mode   Mode
	// IdempotencyKey makes the call only once, however often it is sent; empty without
	// one.
	IdempotencyKey string
	// Progress, unless nil, is told of each task of a streamed run.
	Progress func(Task)
}

// Run runs a workflow and returns its outputs as JSON or, where the mode is Async, the
// execution that was started. When ctx ends, the run is canceled.
func (c *Client) Run(ctx context.Context, r Run) (json.RawMessage, error) {
	body := append(append([]byte(`{"inputs":`), r.Inputs...), '}')
	if r.Mode != Sync {
		body = append(body[:len(body)-1], `,"mode":"`+string(r.Mode)+`"}`...)
	}
	header := http.Header{}
	if r.IdempotencyKey != "" {
		header["Idempotency-Key"] = []string{r.IdempotencyKey}
	}
	path := "/workflows/" + url.PathEscape(r.Workflow) + "/execute"
	switch r.Mode {
	case Async:
		raw, err := c.ask(ctx, http.MethodPost, path, header, body, http.StatusAccepted)
		if err != nil {
			return nil, err
		}
		_, err = c.readExecution(raw)
		return raw, err
	case Stream:
		header["Accept"] = []string{eventStream + ", application/json"}
		return c.stream(ctx, path, header, body, r.Progress)
	case Sync:
	}
	raw, err := c.ask(ctx, http.MethodPost, path, header, body, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var reply struct {
		Outputs json.RawMessage `json:"outputs"`
	}
	if json.Unmarshal(raw, &reply) != nil || reply.Outputs == nil {
		return nil, c.stranger()
	}
	return reply.Outputs, nil
}
