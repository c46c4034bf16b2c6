// Package cli is the command line's way to a runtime: a client of its REST API and of its
// MCP endpoint, and what of the answers is printed. The commands themselves are in
// runtime/cmd/nexus.
//
// An app that is run from a file, without a server, is called in the same way: over
// connections in memory. One client means one verdict.
package cli

import (
	"encoding/json"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// Exit codes, the same for every command; see the error table in docs/spec/nexusapp.md.
const (
	ExitFailure = 1
	ExitUsage   = 2
	ExitDenied  = 3
	ExitLimited = 4
	ExitInvalid = 5
)

// Error ends the program with a code. Its message has one line for each thing to know.
type Error struct {
	// Exit is the code that the program ends with.
	Exit int
	// Problem is the problem object (RFC 9457) with which a server refused, as it came;
	// nil when no server did.
	Problem json.RawMessage
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// usage is an error of who typed the command.
func usage(err error) error { return &Error{Exit: ExitUsage, Err: err} }

// exitCodes are the exit codes of refusals; every other code is a failure.
var exitCodes = map[fault.Code]int{
	fault.WorkflowNotFound: ExitUsage,
	fault.NotFound:         ExitUsage,
	fault.Unauthenticated:  ExitDenied,
	fault.Forbidden:        ExitDenied,
	fault.RateLimited:      ExitLimited,
	fault.InvalidInput:     ExitInvalid,
	fault.SchemaViolation:  ExitInvalid,
	fault.BodyTooLarge:     ExitInvalid,
}

// exitCode is the code that the program ends with after a refusal.
func exitCode(code fault.Code) int {
	if exit, known := exitCodes[code]; known {
		return exit
	}
	return ExitFailure
}
