package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// heartbeat is how often a stream without events says that it is alive, so that proxies
// leave it open.
const heartbeat = 15 * time.Second

var eventStream = []string{"text/event-stream"}

// lastEventID is the event after which a stream goes on: 0 for all of it.
func lastEventID(values []string) (int, error) {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return 0, nil
	}
	id, err := strconv.Atoi(values[0])
	if len(values) > 1 || err != nil || id < 0 {
		return 0, fault.New(fault.InvalidInput, "the header Last-Event-ID is not the id of an event: send back the last one that you received, or none")
	}
	return id, nil
}

// stream sends the events of an execution as they happen (server-sent events): start, one
// for each task, and complete or error. Whoever loses the connection gets the rest with
// GET /executions/{id} and Last-Event-ID; the execution goes on meanwhile. There is an
// error only when nothing was sent.
func (x *exchange) stream(id string, after int) error {
	follower, err := x.handler.engine.Follow(x.r.Context(), &x.call, id, after)
	if err != nil {
		return err
	}
	defer follower.Close()
	header := x.w.Header()
	header["Content-Type"] = eventStream
	header["X-Accel-Buffering"] = []string{"no"} // proxies are not to collect events
	if x.call.Target != nil {
		header["Location"] = []string{"/executions/" + id}
	}
	x.setRateLimit()
	x.setReplayed()
	x.wrote = true
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		x.sendEvents(follower, id)
	}
	return nil
}

// errEnding is why the context of a stream ends when the server does.
var errEnding = errors.New("the server shuts down")

// sendEvents sends events until there are no more, or nobody takes them.
func (x *exchange) sendEvents(follower *execution.Follower, id string) {
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	if x.call.Execution.ID == "" { // else it ends with the execution
		defer context.AfterFunc(x.handler.ending, func() { cancel(errEnding) })()
	}
	control := http.NewResponseController(x.w)
	checked := x.call.Start
	for over := false; !over; {
		events, err := next(ctx, follower)
		x.out = x.out[:0]
		if now := time.Now(); now.Sub(checked) >= recheck {
			if checked = now; !x.handler.engine.StillAccepted(ctx, &x.call, now) {
				return
			}
		}
		switch ending := errors.Is(context.Cause(ctx), errEnding); {
		case errors.Is(err, io.EOF), ctx.Err() != nil && !ending:
			return
		case err != nil || ending:
			over = true
			x.out = append(x.out, ": the stream breaks off here; go on with Last-Event-ID\n\n"...)
		case len(events) == 0:
			x.out = append(x.out, ": alive\n\n"...)
		}
		for i := range events {
			if x.out, err = x.appendEvent(x.out, id, events[i]); err != nil {
				over = true // the client comes back with the last event that it has
				break
			}
		}
		if x.afford(x.out) != nil {
			return // likewise
		}
		if _, err := x.w.Write(x.out); err != nil || control.Flush() != nil {
			return // the caller has gone away
		}
	}
}

// recheck is how often a stream looks whether its caller may still have it: as long as
// what was verified of a token is believed.
const recheck = time.Minute

// next waits for events for as long as a stream may be silent.
func next(ctx context.Context, follower *execution.Follower) ([]execution.Event, error) {
	patient, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	events, err := follower.Next(patient)
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		return nil, nil
	}
	return events, err
}

// appendEvent appends one event, or nothing when it cannot be told.
func (x *exchange) appendEvent(b []byte, id string, event execution.Event) ([]byte, error) {
	var e execution.Execution
	if event.Type != execution.EventTask {
		var err error
		if e, err = x.handler.engine.Execution(x.r.Context(), &x.call, id); err != nil {
			return b, err
		}
	}
	if event.Dropped > 0 {
		b = append(strconv.AppendInt(append(b, ": not kept, events: "...), int64(event.Dropped), 10), '\n')
	}
	b = append(append(b, "event: "...), event.Type...)
	b = strconv.AppendInt(append(b, "\nid: "...), int64(event.ID), 10)
	b = append(b, "\ndata: "...)
	switch {
	case event.Type == execution.EventTask && event.Data == nil:
		b = append(b, "{}"...) // there was too much to tell
	case event.Type == execution.EventTask:
		b = append(b, event.Data...)
	case event.Type == execution.EventStart:
		e.Status, e.CancelRequested = execution.Running, false // as it was then
		b = wire.AppendExecution(b, e)
	default:
		b = wire.AppendExecution(b, e)
	}
	return append(b, "\n\n"...), nil
}
