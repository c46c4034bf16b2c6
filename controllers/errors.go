package controllers

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

// Next says what happens after an error.
type Next string

// What happens next.
const (
	// Terminal: nothing, until the user changes something; then an event comes.
	Terminal Next = "Terminal"
	// Waiting: something else has to happen first. Where no event tells, the app is
	// looked at again after a while.
	Waiting Next = "Waiting"
	// Retry: the same again, later and later.
	Retry Next = "Retry"
)

// Error is an error that the user of an app has to know of.
type Error struct {
	// Condition is the condition that it makes False.
	Condition string
	// Reason and Message are the condition's.
	Reason  string
	Message string
	// Next says what happens next, and After when.
	Next  Next
	After time.Duration
	// Cause may be nil.
	Cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// and is one error of two that make the same condition False.
func (e *Error) and(other *Error) *Error {
	if e == nil || e.Message == other.Message {
		return other
	}
	both := *e
	both.Message += "; " + other.Message
	if other.Next == Waiting {
		both.Next = Waiting
	}
	if both.After == 0 || other.After > 0 && other.After < both.After {
		both.After = other.After
	}
	return &both
}

// unresolved is the error of something that a spec names and that cannot be used.
func unresolved(p refs.Problem) *Error {
	e := &Error{Condition: v1alpha1.ConditionReferencesResolved, Reason: p.Reason, Message: p.Message, Next: Terminal}
	switch p.Reason {
	case v1alpha1.ReasonSecretNotFound, v1alpha1.ReasonConfigMapNotFound, v1alpha1.ReasonConfigMapInvalid:
		e.Next = Waiting // often just not there yet; the watch tells
	case v1alpha1.ReasonSecretForbidden, v1alpha1.ReasonConfigMapForbidden:
		e.After = lookAgain // nothing tells of a permission
	}
	return e
}

const namespaceTerminating = corev1.NamespaceTerminatingCause

// How long until a name that is taken is looked at again: no event tells of an object
// without our labels.
const (
	lookAgain           = time.Minute
	lookAgainForGarbage = 5 * time.Second
)

// applyError turns what stopped an apply into an *Error where the user has to know, and
// leaves it alone where trying again is all there is to do.
func applyError(err error) error {
	if notOwned, ok := errors.AsType[*apply.NotOwnedError](err); ok {
		e := &Error{Condition: v1alpha1.ConditionReferencesResolved, Reason: v1alpha1.ReasonNotOwned,
			Message: notOwned.Error(), Next: Terminal, After: lookAgain, Cause: err}
		if notOwned.Predecessor {
			e.Next, e.After = Waiting, lookAgainForGarbage
		}
		return e
	}
	if refusal(err) && !ending(err) {
		return &Error{Condition: v1alpha1.ConditionReady, Reason: v1alpha1.ReasonApplyFailed,
			Message: "the API server refuses: " + err.Error(), Next: Retry, Cause: err}
	}
	return err
}

// refusal says whether the API server has judged the request, rather than been unable to
// serve it. An admission webhook may refuse with any status from 400 to 499; what cannot
// be allocated, such as an IP address for a Service, is a 500.
func refusal(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsConflict(err) || apierrors.IsTooManyRequests(err) || apierrors.IsNotFound(err) || apierrors.IsUnauthorized(err) {
		return false
	}
	return status.Status().Code >= 400 && status.Status().Code <= 500
}
