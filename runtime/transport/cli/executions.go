package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Execution is what a server tells of a run that goes on apart from its caller.
type Execution struct {
	ID              string          `json:"run_id"`
	Workflow        string          `json:"workflow_id"`
	Version         string          `json:"version"`
	Mode            string          `json:"mode"`
	Status          string          `json:"status"`
	CancelRequested bool            `json:"cancel_requested"`
	Created         time.Time       `json:"created_at"`
	Took            float64         `json:"execution_time"`
	Outputs         json.RawMessage `json:"outputs"`
	Problem         json.RawMessage `json:"problem"`
}

// Running says that it has not ended.
func (e Execution) Running() bool { return e.Status == statusRunning }

// The statuses of an execution.
const (
	statusRunning   = "running"
	statusCompleted = "completed"
)

// readExecution reads how an execution stands.
func (c *Client) readExecution(raw []byte) (Execution, error) {
	var e Execution
	if json.Unmarshal(raw, &e) != nil || e.ID == "" || e.Status == "" {
		return Execution{}, c.stranger()
	}
	return e, nil
}

// Executions returns the caller's last executions, and the answer as it came.
func (c *Client) Executions(ctx context.Context) ([]Execution, json.RawMessage, error) {
	raw, err := c.ask(ctx, http.MethodGet, "/executions", nil, nil, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Executions []Execution `json:"executions"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Executions == nil {
		return nil, nil, c.stranger()
	}
	return answer.Executions, raw, nil
}

// Execution returns how an execution stands, and the answer as it came.
func (c *Client) Execution(ctx context.Context, id string) (Execution, json.RawMessage, error) {
	return c.askExecution(ctx, http.MethodGet, id)
}

// Cancel ends an execution, and returns how it stands, and the answer as it came. One that
// has ended stays as it is.
func (c *Client) Cancel(ctx context.Context, id string) (Execution, json.RawMessage, error) {
	return c.askExecution(ctx, http.MethodDelete, id)
}

func (c *Client) askExecution(ctx context.Context, method, id string) (Execution, json.RawMessage, error) {
	raw, err := c.ask(ctx, method, "/executions/"+url.PathEscape(id), nil, nil, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return Execution{}, nil, err
	}
	e, err := c.readExecution(raw)
	return e, raw, err
}

// end is what an execution that has ended comes to: outputs, or the error that a caller
// who waits would get.
func (c *Client) end(e Execution) (json.RawMessage, error) {
	if e.Status == statusCompleted {
		if e.Outputs == nil {
			return nil, c.stranger()
		}
		return e.Outputs, nil
	}
	p, ok := readProblem(e.Problem)
	if !ok {
		return nil, fmt.Errorf("the run %s is %s", Printable(e.ID), Printable(e.Status))
	}
	p.RequestID = e.ID
	return nil, p.err(e.Problem)
}

// WriteExecutions writes a line for each execution.
func WriteExecutions(out io.Writer, executions []Execution) error {
	rows := [][]string{{"RUN", "WORKFLOW", "STATUS", "CREATED", "TOOK"}}
	for _, e := range executions {
		rows = append(rows, []string{e.ID, e.Workflow, e.standing(), e.Created.UTC().Format(time.RFC3339), e.took()})
	}
	return WriteTable(out, rows)
}

// WriteExecution writes how an execution stands and, when it has ended, what came of it.
func WriteExecution(out io.Writer, e Execution) error {
	rows := [][]string{
		{"Run:", e.ID}, {"Workflow:", e.Workflow}, {"Version:", e.Version}, {"Status:", e.standing()},
		{"Created:", e.Created.UTC().Format(time.RFC3339)},
	}
	if !e.Running() {
		rows = append(rows, []string{"Took:", e.took()})
	}
	if p, ok := readProblem(e.Problem); ok {
		rows = append(rows, []string{"Problem:", fmt.Sprintf("%s: %s", p.Code, p.Detail)})
	}
	if err := WriteTable(out, rows); err != nil || e.Outputs == nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return errors.Join(err, WriteValue(out, Table, e.Outputs))
}

func (e Execution) standing() string {
	if e.CancelRequested {
		return e.Status + ", to be canceled"
	}
	return e.Status
}

func (e Execution) took() string {
	if e.Running() {
		return ""
	}
	return seconds(e.Took)
}

// seconds writes a time as people do: 1.2s, 350ms.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(time.Microsecond).String()
	}
}
