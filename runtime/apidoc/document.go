package apidoc

// The objects of an OpenAPI 3.1 document, as far as an app has them. Schemas are any: they
// are their authors' own, or written here as they are in JSON.
type (
	document struct {
		OpenAPI    string                           `json:"openapi"`
		Info       info                             `json:"info"`
		Servers    []server                         `json:"servers"`
		Security   []map[string][]string            `json:"security,omitempty"`
		Tags       []tagObject                      `json:"tags,omitempty"`
		Paths      map[string]map[string]*operation `json:"paths"`
		Components components                       `json:"components"`
	}
	info struct {
		Title       string `json:"title"`
		Description string `json:"description,omitempty"`
		Version     string `json:"version"`
	}
	server struct {
		URL string `json:"url"`
	}
	tagObject struct {
		Name string `json:"name"`
	}
	components struct {
		Schemas         map[string]any             `json:"schemas"`
		Responses       map[string]*response       `json:"responses"`
		Headers         map[string]*header         `json:"headers"`
		Parameters      map[string]*parameter      `json:"parameters,omitempty"`
		SecuritySchemes map[string]*securityScheme `json:"securitySchemes,omitempty"`
	}
	securityScheme struct {
		Type         string `json:"type"`
		Description  string `json:"description,omitempty"`
		In           string `json:"in,omitempty"`
		Name         string `json:"name,omitempty"`
		Scheme       string `json:"scheme,omitempty"`
		BearerFormat string `json:"bearerFormat,omitempty"`
	}
	operation struct {
		OperationID string   `json:"operationId"`
		Summary     string   `json:"summary,omitempty"`
		Description string   `json:"description,omitempty"`
		Tags        []string `json:"tags,omitempty"`
		// Security, when not nil, replaces that of the document: an empty list asks for none.
		Security    *[]map[string][]string `json:"security,omitempty"`
		Parameters  []*parameter           `json:"parameters,omitempty"`
		RequestBody *requestBody           `json:"requestBody,omitempty"`
		Responses   map[string]*response   `json:"responses"`
	}
	parameter struct {
		Ref         string `json:"$ref,omitempty"`
		Name        string `json:"name,omitempty"`
		In          string `json:"in,omitempty"`
		Description string `json:"description,omitempty"`
		Required    bool   `json:"required,omitempty"`
		Style       string `json:"style,omitempty"`
		Explode     bool   `json:"explode,omitempty"`
		Schema      any    `json:"schema,omitempty"`
	}
	requestBody struct {
		Required bool                 `json:"required,omitempty"`
		Content  map[string]mediaType `json:"content"`
	}
	response struct {
		Ref         string               `json:"$ref,omitempty"`
		Description string               `json:"description,omitempty"`
		Headers     map[string]*header   `json:"headers,omitempty"`
		Content     map[string]mediaType `json:"content,omitempty"`
	}
	header struct {
		Ref         string `json:"$ref,omitempty"`
		Description string `json:"description,omitempty"`
		Schema      any    `json:"schema,omitempty"`
	}
	mediaType struct {
		Schema any `json:"schema"`
	}
	// object is a schema that is written here.
	object = map[string]any
)

const (
	jsonMedia    = "application/json"
	problemMedia = "application/problem+json"
	eventsMedia  = "text/event-stream"
)

func jsonContent(schema any) map[string]mediaType { return map[string]mediaType{jsonMedia: {schema}} }

func schemaRef(name string) object { return object{"$ref": schemasRef + name} }
