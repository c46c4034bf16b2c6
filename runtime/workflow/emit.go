package workflow

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// emitTask makes a CloudEvent, and delivers it where the app has a sink. The event is
// its output.
type emitTask struct{ attributes *template }

func (t *emitTask) perform(r *run, input any) (any, flow, error) {
	attributes, err := r.object(t.attributes, input, "emit.event.with")
	if err != nil {
		return nil, flow{}, err
	}
	event := map[string]any{
		"specversion": "1.0",
		"id":          r.newID(),
		"time":        r.now().UTC().Format(time.RFC3339Nano),
		"source":      "/" + r.program.namespace + "/" + r.program.name + "/" + r.program.version,
	}
	maps.Copy(event, attributes)
	if _, hasData := event["data"]; hasData && event["datacontenttype"] == nil {
		event["datacontenttype"] = "application/json"
	}
	for _, name := range []string{"id", "source", "type"} {
		if text, ok := event[name].(string); !ok || text == "" {
			return nil, flow{}, NewError(ExpressionError, nil, "the %s of the event must be a text", name)
		}
	}
	if text, ok := event["time"].(string); !ok || !isTime(text) {
		return nil, flow{}, NewError(ExpressionError, nil, "the time of the event must be a text such as 2026-01-02T15:04:05Z")
	}
	caller := r.shared.host.Caller
	if caller == nil {
		return event, flow{}, nil
	}
	if err := r.spend(time.Duration(count(event, maxOutputBytes)) * redactTime); err != nil {
		return nil, flow{}, err
	}
	clean, _ := r.shared.redact.value(event).(map[string]any)
	if err := caller.Emit(r.ctx, clean); err != nil {
		return nil, flow{}, r.called(err, CommunicationError)
	}
	return event, flow{}, nil
}

// redactTime is about how long it takes to look for secrets in one value.
const redactTime = 200 * time.Nanosecond

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// attributeSyntax is a name of an attribute (CloudEvents 1.0.2, section 3.1).
var attributeSyntax = regexp.MustCompile(`^[a-z0-9]+$`)

// textAttributes are those that are texts; data may be anything, and extensions numbers
// and booleans too.
var textAttributes = []string{"id", "source", "type", "time", "subject", "datacontenttype", "dataschema"}

// emit compiles an emit task.
func (c *compiler) emit(at pointer, definition map[string]any) action {
	emit, ok := c.object(at, definition, "emit")
	if !ok {
		return nil
	}
	at = at.child("emit")
	c.fields(at, emit, emitFields)
	event, ok := c.object(at, emit, "event")
	if !ok {
		if _, present := emit["event"]; !present {
			c.problem(at.child("event"), "is required: write {with: {type: com.example.order.placed.v1, data: ...}}")
		}
		return nil
	}
	at = at.child("event")
	c.fields(at, event, emitEventFields)
	with, ok := c.object(at, event, "with")
	if !ok {
		if _, present := event["with"]; !present {
			c.problem(at.child("with"), "is required: the attributes of the event")
		}
		return nil
	}
	at = at.child("with")
	if _, present := with["type"]; !present {
		c.problem(at.child("type"), "is required: what the event tells of, for example com.example.order.placed.v1")
	}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		switch {
		case !attributeSyntax.MatchString(name):
			c.problem(at.child(name), "is no attribute of an event: use lower-case letters and digits")
		case name == "specversion" && with[name] != "1.0":
			c.problem(at.child(name), "must be \"1.0\", or left out")
		case slices.Contains(textAttributes, name):
			c.text(at, with, name, true)
		}
	}
	return &emitTask{c.template(at, with, siteTask)}
}
