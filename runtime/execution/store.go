package execution

import (
	"context"
	"time"
)

// Store keeps executions and idempotency keys. Its errors say nothing of where it is, and
// are errNotFound, errTooMany, errNoRoom, errFormat, or anything else when it cannot be
// reached. It is safe for concurrent use.
type Store interface {
	// Create adds an execution that this pod runs. The oldest one of the subject that has
	// ended makes room.
	Create(context.Context, Write) error
	// Update writes how an execution of this pod stands now: what happened, or its end.
	// What has ended is not written any more. One that is missing is added.
	Update(context.Context, Write) (Mark, error)
	// Forget removes an execution, whether there is one or not.
	Forget(ctx context.Context, subject, id string) error
	// Get reads an execution.
	Get(ctx context.Context, subject, id string) (Execution, error)
	// List reads a subject's last executions, the newest first, without their outputs.
	List(ctx context.Context, subject string, limit int) ([]Execution, error)
	// Events reads an execution, without its output, and some of its events after one, in
	// their order: none only when it has none that are kept.
	Events(ctx context.Context, subject, id string, after int) (Execution, []Event, error)
	// Cancel asks the pod that runs an execution to cancel it, and reads it.
	Cancel(ctx context.Context, subject, id string) (Execution, error)
	// Beat says that this pod is alive, and marks each of its executions.
	Beat(context.Context, []Ref) ([]Mark, error)

	// Begin claims an idempotency key. A claim whose pod has ended becomes NotKept.
	Begin(context.Context, Claim) (Attempt, error)
	// Settle keeps the answer to a claim, or that there was one when it is nil.
	Settle(ctx context.Context, c Claim, answer []byte) error
	// Release gives up a claim.
	Release(context.Context, Claim) error
}

// Write is what is to be written of an execution.
type Write struct {
	Execution
	// Events are its last ones, in order. They have all that are kept of each chunk that
	// they have any of.
	Events []Event
	// Keep is how long to keep it while it runs, should nobody tell of its end.
	Keep time.Duration
}

// Ref names an execution.
type Ref struct{ Subject, ID string }

// Mark is what the store says of an execution of this pod.
type Mark byte

// The marks.
const (
	Going   Mark = 'g'
	Asked   Mark = 'a' // it is to be canceled
	Settled Mark = 's' // it ended without this pod, which was given up
	Missing Mark = 'm'
)

// Events are kept in chunks, so that many can be added and few be read at once. All but
// the last chunk have a fixed range of numbers; the last one has the latest events of those
// that are beyond the ranges.
const (
	chunkEvents = 50
	lastChunk   = MaxEvents/chunkEvents - 1
	// headEvents are those in ranges.
	headEvents = lastChunk * chunkEvents
)

// chunkOf is the chunk that an event is in.
func chunkOf(id int) int { return min((id-1)/chunkEvents, lastChunk) }

// chunk is a chunk with all of its events.
type chunk struct {
	number int
	events []Event
}

// chunks splits events.
func chunks(events []Event) []chunk {
	var list []chunk
	for i, e := range events {
		if n := chunkOf(e.ID); len(list) == 0 || list[len(list)-1].number != n {
			list = append(list, chunk{number: n})
		}
		c := &list[len(list)-1]
		c.events = events[i-len(c.events) : i+1]
	}
	return list
}

// after are the events after one.
func after(events []Event, id int) []Event {
	for i, e := range events {
		if e.ID > id {
			return events[i:]
		}
	}
	return nil
}
