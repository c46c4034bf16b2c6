package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

const (
	eventStream = "text/event-stream"
	// cancelTime is what ending a run may take, once nobody wants it any more.
	cancelTime = 10 * time.Second
	// pollEvery is how often a run is asked for that cannot be followed.
	pollEvery = time.Second
	// maxReconnects is how often in a row a stream is taken up again of which nothing new
	// comes.
	maxReconnects = 5
)

// Task is what a server tells of a task that has ended, or is tried again.
type Task struct {
	Name      string  `json:"task"`
	Reference string  `json:"reference"`
	Kind      string  `json:"kind"`
	Workflow  string  `json:"workflow_id"`
	Status    string  `json:"status"`
	Took      float64 `json:"execution_time"`
	// Error is that of a task that failed.
	Error *TaskError `json:"error"`
}

// TaskError says why a task failed.
type TaskError struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
}

// follower follows one run.
type follower struct {
	client   *Client
	progress func(Task)
	// id is that of the run, once it is known, and last that of the last event.
	id, last string
}

// stream runs a workflow and follows it to its end, also over connections that break. The
// run is canceled when ctx ends.
func (c *Client) stream(ctx context.Context, at string, header http.Header, body []byte, progress func(Task)) (json.RawMessage, error) {
	res, err := c.send(ctx, http.MethodPost, at, header, body) //nolint:bodyclose // whoever reads it closes it
	if err != nil {
		return nil, err
	}
	f := &follower{client: c, progress: progress}
	if location := res.Header.Get("Location"); strings.HasPrefix(location, "/executions/") {
		f.id = path.Base(location)
	}
	outputs, err := f.follow(ctx, res)
	if err != nil && ctx.Err() != nil {
		f.cancel(ctx)
		return nil, context.Cause(ctx)
	}
	return outputs, err
}

// cancel ends the run. Its caller goes away: there is nobody to tell whether it worked.
func (f *follower) cancel(ctx context.Context) {
	if f.id == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	_, _, _ = f.client.Cancel(ctx, f.id)
}

// follow reads a reply, and takes the stream up again as long as it breaks off.
func (f *follower) follow(ctx context.Context, res *http.Response) (json.RawMessage, error) {
	for attempts := 0; ; {
		before := f.last
		end, err := f.read(ctx, res)
		if err != nil {
			return nil, err
		}
		if end.ID != "" {
			return f.client.end(end)
		}
		if f.last != before {
			attempts = 0
		}
		if res, err = f.reconnect(ctx, &attempts); err != nil { //nolint:bodyclose // likewise
			return nil, err
		}
	}
}

// reconnect asks for the events after the last one.
func (f *follower) reconnect(ctx context.Context, attempts *int) (*http.Response, error) {
	for f.id != "" && *attempts < maxReconnects {
		if err := wait(ctx, time.Duration(*attempts)*pollEvery); err != nil {
			return nil, err
		}
		*attempts++
		header := http.Header{"Accept": {eventStream}}
		if f.last != "" {
			header["Last-Event-Id"] = []string{f.last}
		}
		res, err := f.client.send(ctx, http.MethodGet, "/executions/"+url.PathEscape(f.id), header, nil)
		if err == nil || ctx.Err() != nil {
			return res, err
		}
	}
	return nil, f.lost()
}

func (f *follower) lost() error {
	if f.id == "" {
		return errors.New("the connection broke off before the run began")
	}
	return fmt.Errorf("the connection broke off; the run may go on: 'nexus status %s' tells what becomes of it", Printable(f.id))
}

// forgotten says of a run that was followed and is not known any more what that means: the
// user never named its id.
func (f *follower) forgotten(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || f.id == "" {
		return err
	}
	if p, is := readProblem(e.Problem); !is || p.Code != fault.NotFound {
		return err
	}
	return &Error{Exit: ExitFailure, Problem: e.Problem, Err: fmt.Errorf("the server does not know the run %s any more, perhaps because it was started anew: look what the run did before you run it again", Printable(f.id))}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// read reads one reply. It returns the execution when it has ended, and one without an id
// when the stream breaks off before.
func (f *follower) read(ctx context.Context, res *http.Response) (Execution, error) {
	defer func() { _ = res.Body.Close() }()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusNoContent: // nothing comes after the last event
		return f.poll(ctx)
	case res.StatusCode != http.StatusOK || media != eventStream:
		raw, err := readReply(ctx, res, http.StatusOK, http.StatusAccepted)
		if err != nil {
			return Execution{}, f.forgotten(err)
		}
		// It was started, and cannot be followed just now.
		started, err := f.client.readExecution(raw)
		if err != nil {
			return Execution{}, err
		}
		f.id = started.ID
		return f.poll(ctx)
	}
	for events := newEventReader(res.Body); ; {
		e, err := events.next()
		switch {
		case ctx.Err() != nil:
			return Execution{}, context.Cause(ctx)
		case errors.Is(err, errLongEvent):
			return Execution{}, err
		case err != nil:
			return Execution{}, nil // the stream broke off; it is taken up again
		}
		end, err := f.take(e)
		if err != nil || end.ID != "" {
			return end, err
		}
	}
}

// take takes one event: the last one tells how the run ended.
func (f *follower) take(e event) (Execution, error) {
	f.last = e.id
	switch e.name {
	case "task":
		var t Task
		if f.progress != nil && json.Unmarshal(e.data, &t) == nil && t.Name != "" {
			f.progress(t)
		}
	case "start", "complete", "error":
		execution, err := f.client.readExecution(e.data)
		if err != nil {
			return Execution{}, err
		}
		if f.id = execution.ID; e.name != "start" {
			return execution, nil
		}
	default: // of a later version
	}
	return Execution{}, nil
}

// poll asks until the run has ended.
func (f *follower) poll(ctx context.Context) (Execution, error) {
	for {
		e, _, err := f.client.Execution(ctx, f.id)
		if err != nil || !e.Running() {
			return e, f.forgotten(err)
		}
		if err := wait(ctx, pollEvery); err != nil {
			return Execution{}, err
		}
	}
}
