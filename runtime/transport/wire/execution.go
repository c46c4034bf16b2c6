package wire

import (
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// AppendExecution appends how an execution stands, with the members of a run's envelope.
func AppendExecution(b []byte, e execution.Execution) []byte {
	b = jsontext.AppendString(append(b, `{"run_id":`...), e.ID)
	b = jsontext.AppendString(append(b, `,"workflow_id":`...), e.Workflow)
	b = jsontext.AppendString(append(b, `,"version":`...), e.Version)
	b = jsontext.AppendString(append(b, `,"mode":`...), string(e.Mode))
	b = jsontext.AppendString(append(b, `,"status":`...), strings.ToLower(string(e.Status)))
	b = jsontext.AppendString(append(b, `,"created_at":`...), e.Created.UTC().Format(time.RFC3339Nano))
	if e.Status == execution.Running {
		if e.CancelRequested {
			b = append(b, `,"cancel_requested":true`...)
		}
		return append(b, '}')
	}
	b = jsontext.AppendString(append(b, `,"finished_at":`...), e.Finished.UTC().Format(time.RFC3339Nano))
	b = append(b, `,"execution_time":`...)
	b = strconv.AppendFloat(b, e.Took.Round(time.Microsecond).Seconds(), 'f', -1, 64)
	if e.Output != nil {
		b = append(append(b, `,"outputs":`...), e.Output...)
	}
	if e.Failure != nil {
		b = appendFailure(append(b, `,"problem":`...), e)
	}
	return append(b, '}')
}

// appendFailure appends why an execution failed, as the problem of a call that fails so.
func appendFailure(b []byte, e execution.Execution) []byte {
	h := heads[e.Failure.Code]
	b = strconv.AppendInt(append(b, h.before...), int64(Status(e.Failure.Code, e.Failure.Status)), 10)
	b = jsontext.AppendString(append(b, `,"detail":`...), e.Failure.Detail)
	b = jsontext.AppendString(append(b, `,"instance":`...), "/executions/"+e.ID)
	b = append(b, h.code...)
	if e.Failure.Problem != nil {
		b = append(append(b, `,"error":`...), e.Failure.Problem...)
	}
	return append(b, '}')
}
