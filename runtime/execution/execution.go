// Package execution runs workflows apart from the calls that ask for them, keeps what
// became of them for whoever called, and remembers which calls were made already. An
// execution belongs to a subject: nobody else finds it.
//
// What is kept is in a Store: in Redis, so that every replica answers and a pod that dies
// is noticed, or in the memory of the pod.
package execution

import (
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

const (
	// MaxPerSubject is how many executions of one subject are kept. The oldest that has
	// ended makes room for a new one.
	MaxPerSubject = 1000
	// MaxEvents is how many events of an execution are kept: the first ones, and the last
	// of those that came later.
	MaxEvents = 1000
	// MaxEventData bounds the data of an event, in bytes. An event with more has none.
	MaxEventData = 4 << 10
	// MaxOutput bounds an output, in bytes.
	MaxOutput = 1 << 20
	// maxDetail and maxProblem bound the texts of a failure, in bytes.
	maxDetail, maxProblem = 1 << 10, 16 << 10
)

// Mode is how the caller learns what becomes of an execution.
type Mode string

// The modes.
const (
	Async  Mode = "async"
	Stream Mode = "stream"
)

// Status is how an execution stands.
type Status string

// The statuses.
const (
	Running   Status = "Running"
	Completed Status = "Completed"
	Failed    Status = "Failed"
	Canceled  Status = "Canceled"
)

// CodeCanceled is the code of the failure of an execution that was canceled.
const CodeCanceled fault.Code = "canceled"

// Execution is a run of a workflow and what is known of it.
type Execution struct {
	// ID is 32 hexadecimal digits, and cannot be guessed.
	ID string
	// Subject is whose it is: empty for everybody where nobody is authenticated.
	Subject           string
	Workflow, Version string
	Mode              Mode
	Status            Status
	// CancelRequested says that it is to be canceled and has not ended yet.
	CancelRequested bool
	Created         time.Time
	// Finished and Took are zero while it is running.
	Finished time.Time
	Took     time.Duration
	// Output is that of a Completed one, at most MaxOutput bytes. List leaves it out.
	Output json.RawMessage
	// Failure is why one is Failed or Canceled, else nil.
	Failure *Failure
	// LastEvent is the number of its last event.
	LastEvent int
}

// Failure is what a caller may know of why an execution did not complete.
type Failure struct {
	Code   fault.Code
	Detail string
	// Status is the HTTP-like status of a fault.WorkflowFailed, 0 for 500.
	Status int
	// Problem is the error object of the workflow, where it ended by one; at most 16 KiB,
	// else it is left out.
	Problem json.RawMessage
}

// Outcome is how a run ended: with an output, or with a failure.
type Outcome struct {
	Output  json.RawMessage
	Failure *Failure
}

// EventType is what an event tells.
type EventType string

// The types of events. An execution has one start, and one of complete and error, which is
// its last event.
const (
	EventStart    EventType = "start"
	EventTask     EventType = "task"
	EventComplete EventType = "complete"
	EventError    EventType = "error"
)

func (t EventType) ends() bool { return t == EventComplete || t == EventError }

// Event is something that happened in an execution.
type Event struct {
	// ID counts the events of an execution, from 1.
	ID   int
	Type EventType
	Time time.Time
	// Data is that of a task event, or nil when it was too large. The other events have
	// none: what they tell is in the Execution.
	Data json.RawMessage
	// Dropped is how many events before this one were not kept. It is only set on reading.
	Dropped int
}

// Errors of stores, which the Manager translates for callers.
var (
	errNotFound = errors.New("there is no such execution")
	errTooMany  = errors.New("the subject has too many executions that have not ended")
	errNoRoom   = errors.New("the memory for executions is full")
	errFormat   = errors.New("what is stored was written by another version or is damaged")
)

// What callers are told of runs that did not come to their own end.
var (
	failureCanceled = Failure{Code: CodeCanceled, Detail: "the execution was canceled"}
	failureGone     = Failure{Code: fault.Internal, Detail: "the pod that ran it is gone; it may have done part of its work"}
	failureShutDown = Failure{Code: fault.Internal, Detail: "the pod that ran it was shut down; it may have done part of its work"}
	failureLost     = Failure{Code: fault.Internal, Detail: "it ran to its end, but its output could not be stored in time"}
	failureTooLarge = Failure{Code: fault.Internal, Detail: "it ran to its end, but its output is no JSON or larger than 1 MiB"}
	failurePanic    = Failure{Code: fault.Internal, Detail: "something went wrong on our side; the id of the execution finds it in the log"}
)

// bounded is the failure with texts that can be kept.
func (f Failure) bounded() *Failure {
	if len(f.Detail) > maxDetail {
		end := maxDetail
		for !utf8.RuneStart(f.Detail[end]) {
			end--
		}
		f.Detail = f.Detail[:end]
	}
	if len(f.Problem) > maxProblem || !json.Valid(f.Problem) {
		f.Problem = nil
	}
	return &f
}

// validID says whether an id is one of ours, and may be part of a key.
func validID(id string) bool {
	if len(id) != idLength {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

const idLength = 32
