package mcp

import (
	"context"
	"strconv"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// A client is told of every task of a short run, and of some of a long one.
const (
	toldAlways = 64
	toldEvery  = 100 * time.Millisecond
	// waiting is how many notes may wait for a client that reads slowly. What does not
	// find room is left out: a run waits for nobody.
	waiting = 64
)

// note is what is told of a task that ended.
type note struct {
	task  string
	ended int
	ok    bool
}

// reporter tells a client of the tasks of a run while it goes on.
type reporter struct {
	notes chan note
	// over is closed when the run has ended, and done when all of it is told.
	over, done chan struct{}
}

// report begins to tell of the run of the exchange, if the client asked for it. It is nil
// where nobody did.
func (x *exchange) report(ctx context.Context, session *sdk.ServerSession) *reporter {
	logs := x.tool.logs
	if session == nil || x.message.progressToken == nil && !logs {
		return nil
	}
	r := &reporter{notes: make(chan note, waiting), over: make(chan struct{}), done: make(chan struct{})}
	x.call.Trace = r.tell()
	tell := func(n note) {
		// A client that is gone has its run canceled; there is nobody else to tell.
		if x.message.progressToken != nil {
			_ = session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{
				ProgressToken: progressToken(x.message.progressToken), Progress: float64(n.ended), Message: n.String(),
			})
		}
		if logs {
			_ = session.Log(ctx, &sdk.LoggingMessageParams{Level: "info", Logger: x.tool.workflow.Name, Data: n.String()}) //nolint:staticcheck // clients of older revisions have nothing else
		}
	}
	go r.each(tell)
	return r
}

// each tells the notes as they come, and those that wait when the run is over.
func (r *reporter) each(tell func(note)) {
	defer close(r.done)
	for {
		select {
		case n := <-r.notes:
			tell(n)
			continue
		case <-r.over:
		}
		for {
			select {
			case n := <-r.notes:
				tell(n)
			default:
				return
			}
		}
	}
}

func (n note) String() string {
	if n.ok {
		return "task " + strconv.Quote(n.task) + " ended"
	}
	return "task " + strconv.Quote(n.task) + " failed"
}

// progressToken is a token as the protocol has it: a text or a number.
func progressToken(token any) any {
	if n, ok := token.(int); ok {
		return int64(n)
	}
	return token
}

// tell returns what a run tells of its tasks. Tasks of several branches may end at once.
func (r *reporter) tell() func(workflow.TaskEvent) {
	tasks := make(chan state, 1)
	tasks <- state{}
	return func(event workflow.TaskEvent) {
		if event.Phase != workflow.TaskCompleted && event.Phase != workflow.TaskFaulted {
			return
		}
		s := <-tasks
		defer func() { tasks <- s }()
		if s.ended++; s.ended > toldAlways && event.Time.Sub(s.last) < toldEvery {
			return
		}
		s.last = event.Time
		select {
		case r.notes <- note{event.Name, s.ended, event.Phase == workflow.TaskCompleted}:
		default:
		}
	}
}

// state is what has been told of a run.
type state struct {
	ended int
	last  time.Time
}

// close returns when all that was to be told is told: nothing may follow the result.
func (r *reporter) close() {
	if r == nil {
		return
	}
	close(r.over)
	<-r.done
}
