package workflow

// Hints are what document.metadata.mcp says of the workflow as a tool of MCP (schema of
// MCP, ToolAnnotations). They are for people and models to read: nothing is enforced by
// them. A hint that is nil is left out.
type Hints struct {
	// ReadOnly says that a run changes nothing.
	ReadOnly *bool
	// Destructive says that a run may undo or delete what is there.
	Destructive *bool
	// Idempotent says that a second run with the same inputs changes nothing more.
	Idempotent *bool
	// OpenWorld says that a run deals with whatever is out there, like a search of the web.
	OpenWorld *bool
}

// Hints returns the hints in document.metadata.mcp.
func (p *Program) Hints() Hints { return p.hints }

var hintFields = fieldSet{supported: []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}}

// hints reads the part of document.metadata that means something to the runtime; the rest
// of metadata is its author's.
func (c *compiler) hints(at pointer, metadata map[string]any) Hints {
	var h Hints
	mcp, ok := c.object(at, metadata, "mcp")
	if !ok {
		return h
	}
	at = at.child("mcp")
	c.fields(at, mcp, hintFields)
	for key, hint := range map[string]**bool{
		"readOnlyHint": &h.ReadOnly, "destructiveHint": &h.Destructive, "idempotentHint": &h.Idempotent, "openWorldHint": &h.OpenWorld,
	} {
		if _, present := mcp[key]; present {
			truth := c.boolean(at, mcp, key)
			*hint = &truth
		}
	}
	return h
}
