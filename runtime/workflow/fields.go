package workflow

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// fieldSet is what an object of the language may hold: the fields that this version
// supports, and those that the language has besides.
type fieldSet struct {
	supported []string
	language  []string
}

// The objects of the language (specification 1.0.3).
var (
	workflowFields = fieldSet{
		supported: []string{"document", "input", "use", "do", "timeout", "output", "evaluate"},
		language:  []string{"schedule"},
	}
	documentFields = fieldSet{supported: []string{"dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"}}
	evaluateFields = fieldSet{supported: []string{"language", "mode"}}
	inputFields    = fieldSet{supported: []string{"schema", "from"}}
	outputFields   = fieldSet{supported: []string{"schema", "as"}}
	schemaFields   = fieldSet{supported: []string{"format", "document"}, language: []string{"resource"}}
	useFields      = fieldSet{
		supported: []string{"authentications", "errors", "functions", "retries", "secrets", "timeouts"},
		language:  []string{"catalogs", "extensions"},
	}
	timeoutFields = fieldSet{supported: []string{"after"}}

	forFields          = fieldSet{supported: []string{"each", "in", "at"}}
	forkFields         = fieldSet{supported: []string{"branches", "compete"}}
	caseFields         = fieldSet{supported: []string{"when", "then"}}
	raiseFields        = fieldSet{supported: []string{"error"}}
	errorFields        = fieldSet{supported: []string{"type", "status", "title", "detail", "instance"}}
	catchFields        = fieldSet{supported: []string{"errors", "as", "when", "exceptWhen", "retry", "do", "then"}}
	catchErrorsFields  = fieldSet{supported: []string{"with"}}
	errorFilterFields  = fieldSet{supported: []string{"type", "status", "title", "detail", "instance"}}
	retryFields        = fieldSet{supported: []string{"when", "exceptWhen", "delay", "backoff", "limit", "jitter"}}
	backoffFields      = fieldSet{supported: []string{"constant", "exponential", "linear"}}
	retryLimitFields   = fieldSet{supported: []string{"attempt", "duration"}}
	retryAttemptFields = fieldSet{supported: []string{"count", "duration"}}
	jitterFields       = fieldSet{supported: []string{"from", "to"}}
	emitFields         = fieldSet{supported: []string{"event"}}
	emitEventFields    = fieldSet{supported: []string{"with"}}
	runFields          = fieldSet{supported: []string{"workflow", "await"}, language: []string{"return"}}
	runWorkflowFields  = fieldSet{supported: []string{"namespace", "name", "version", "input"}}

	httpFields           = fieldSet{supported: []string{"method", "endpoint", "headers", "body", "query", "output", "redirect"}}
	openAPIFields        = fieldSet{supported: []string{"document", "operationId", "parameters", "authentication", "output", "redirect"}}
	resourceFields       = fieldSet{supported: []string{"name", "endpoint"}}
	endpointFields       = fieldSet{supported: []string{"uri", "authentication"}}
	mcpFields            = fieldSet{supported: []string{"protocolVersion", "method", "parameters", "timeout", "transport", "client"}}
	mcpClientFields      = fieldSet{supported: []string{"name", "version"}}
	mcpTransportFields   = fieldSet{supported: []string{"http"}, language: []string{"options"}}
	mcpHTTPFields        = fieldSet{supported: []string{"endpoint", "headers"}}
	authenticationFields = fieldSet{supported: []string{"basic", "bearer", "digest", "oauth2", "oidc"}, language: []string{"certificate"}}
	useOnlyFields        = fieldSet{supported: []string{"use"}}
	oauth2Fields         = fieldSet{
		supported: []string{"authority", "endpoints", "grant", "client", "request", "issuers", "scopes", "audiences"},
		language:  []string{"username", "password", "subject", "actor"},
	}
	// oauth2Parts are the objects in an OAuth 2 policy. A token is neither revoked nor
	// introspected: those endpoints describe the authority.
	oauth2Parts = map[string]fieldSet{
		"endpoints": {supported: []string{"token", "revocation", "introspection"}},
		"client":    {supported: []string{"id", "secret", "assertion", "authentication"}},
		"request":   {supported: []string{"encoding"}},
	}
)

// commonFields are what every task may have besides its own.
var commonFields = []string{"if", "input", "output", "export", "timeout", "then", "metadata"}

// unsupportedFields explains fields that the language has and this runtime does not.
var unsupportedFields = map[string]string{
	"/schedule":       "workflows run when they are called: call it from a CronJob, or from what consumes the events",
	"/use/catalogs":   "functions are not fetched from elsewhere: define them in use.functions",
	"/use/extensions": "write the tasks before and after the ones they extend",
	"resource":        "schemas are not fetched from elsewhere: put it into document",
}

// taskKeywords are the keywords by which the language tells tasks apart.
var taskKeywords = []string{"call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait"}

// fields reports the members of an object that this version does not support, and
// those that the language does not have.
func (c *compiler) fields(at pointer, object map[string]any, f fieldSet) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch {
		case slices.Contains(f.supported, key):
		case slices.Contains(f.language, key):
			why := unsupportedFields[string(at.child(key))]
			if why == "" {
				why = unsupportedFields[key]
			}
			if why == "" {
				why = "supported are " + strings.Join(f.supported, ", ")
			}
			c.problem(at.child(key), "the field %q is not supported: %s", key, why)
		case key == "true", key == "false":
			c.problem(at.child(key), "the field %q is what readers of YAML 1.1 make of an unquoted on, off, yes, no, y or n: put it in quotes, or use definitionText", key)
		default:
			c.problem(at.child(key), "the field %q does not exist: %s", key, spelling.Suggest(key, f.supported))
		}
	}
}

// nameSyntax is the specification's syntax of names.
var nameSyntax = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// versionSyntax is a semantic version (semver.org 2.0.0).
var versionSyntax = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

// supportedDSL says whether a version of the language is at least 1.0.0 and below
// 1.1.0. A pre-release of 1.0.0 comes before it.
func supportedDSL(version string) bool {
	parts := versionSyntax.FindStringSubmatch(version)
	if parts == nil || parts[1] != "1" || parts[2] != "0" {
		return false
	}
	patch, err := strconv.Atoi(parts[3])
	return err == nil && (patch > 0 || parts[4] == "")
}
