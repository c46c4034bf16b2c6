package call

import (
	"context"
	"errors"

	"github.com/nexus-operator/nexus-operator/runtime/openapi"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// OpenAPI makes the request that an operation of an OpenAPI document describes. The
// document comes with the app (Options.Resources) or is one of Load; the first attempt to
// fetch it is waited for. Errors are like those of HTTP.
func (c *Caller) OpenAPI(ctx context.Context, r *workflow.OpenAPIRequest) (*workflow.HTTPResponse, error) {
	document, base, err := c.documents.named(ctx, r.Document)
	if err != nil {
		return nil, err
	}
	operation, err := document.Operation(r.OperationID)
	if err != nil {
		return nil, misfit(r.OperationID, err)
	}
	request, err := operation.Request(base, r.Parameters)
	if wrong, ok := errors.AsType[*openapi.ValueError](err); ok {
		return nil, workflow.NewError(workflow.ExpressionError, nil, "%v", wrong)
	}
	if err != nil {
		return nil, misfit(r.OperationID, err)
	}
	return c.HTTP(ctx, &workflow.HTTPRequest{
		Method: request.Method, URL: request.URL, Header: request.Header, Body: request.Body, HasBody: request.HasBody,
		Redirect: r.Redirect, Authentication: r.Authentication,
	})
}

// misfit is the error of a definition and a document that do not fit. What else there is
// in the document is for the log: it may describe a service of the inside.
func misfit(operation string, cause error) error {
	return workflow.NewError(workflow.ConfigurationError, cause, "the call does not fit the operation %q of its OpenAPI document", operation)
}

// CheckOperation says why an operation of an OpenAPI document that comes with the app
// cannot be called: it is not there, not supported, or out of the guard's reach. Of a
// document at a URL, which is not there before the app runs, it says what is wrong with
// the URL's fragment.
func (c *Caller) CheckOperation(document, operationID string) error {
	return c.documents.library.Check(document, operationID, c.guard.Check)
}
