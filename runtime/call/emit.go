package call

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Emit delivers an event to the sink in the structured mode of CloudEvents over HTTP.
// Any 2xx is a delivery. Without a sink nothing is done.
func (c *Caller) Emit(ctx context.Context, event map[string]any) error {
	if c.sink == "" {
		return nil
	}
	body, err := marshal(event)
	if err != nil {
		return workflow.NewError(workflow.ExpressionError, err, "the event holds something that JSON has not, such as a number that is none")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.sink, bytes.NewReader(body))
	if err != nil {
		return workflow.NewError(workflow.ConfigurationError, err, "%s is no URL that can be called", theSink)
	}
	req.Header = http.Header{"Content-Type": {"application/cloudevents+json"}, "User-Agent": {"nexus"}}
	resp, err := c.sinkGuard.RoundTrip(req)
	if err != nil {
		return failure(ctx, theSink, err)
	}
	drop(resp)
	if resp.StatusCode/100 == 2 {
		return nil
	}
	out := workflow.NewError(workflow.CommunicationError, fmt.Errorf("%s answers %d", req.URL.Host, resp.StatusCode), "%s does not take the event", theSink)
	if resp.StatusCode >= 400 {
		out.Status = resp.StatusCode
	}
	return out
}
