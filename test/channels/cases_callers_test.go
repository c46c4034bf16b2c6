package channels

import (
	"strings"
	"testing"
)

const notOwnHeader = "the command sends its token as one bearer, and nothing else"

// credentialCases are about who calls. Whatever is wrong with a credential, the caller learns
// no more than the code.
func credentialCases() []testCase {
	cases := []testCase{
		one("anonymous", step{workflow: "echo", as: "-", code: "unauthenticated"}),
		one("anonymous, where nobody is asked", step{app: "open", workflow: "echo", as: "-", inputs: `{"a":1}`, output: `{"a":1}`}),
		one("credential, where nobody is asked", step{app: "open", workflow: "echo", inputs: `{"a":1}`, output: `{"a":1}`}),
		one("key", step{workflow: "echo", inputs: `{"a":1}`, output: `{"a":1}`}),
	}
	for _, name := range []string{"lasting", "jwt", "jwt-discovered"} {
		cases = append(cases, one("credential: "+name, step{workflow: "echo", as: name, output: `{}`}))
	}
	for _, name := range []string{
		"wrong-secret", "unknown-id", "short-key", "no-token", "half-token", "expired", "revoked",
		"jwt-expired", "jwt-early", "jwt-no-end", "jwt-audience", "jwt-issuer", "jwt-swapped", "jwt-stranger", "jwt-algorithm", "jwt-confused", "jwt-none",
	} {
		cases = append(cases, one("refused credential: "+name, step{workflow: "echo", as: name, code: "unauthenticated"}))
	}
	for _, c := range []struct {
		name   string
		header [][2]string
		code   string
	}{
		{"X-API-Key", [][2]string{{"X-API-Key", "WEB"}}, ok},
		{"the same key twice", [][2]string{{"X-API-Key", "WEB"}, {"Authorization", "Bearer WEB"}}, ok},
		{"bearer in lower case", [][2]string{{"Authorization", "bearer WEB"}}, ok},
		{"two credentials", [][2]string{{"X-API-Key", "BUYER"}, {"Authorization", "Bearer WEB"}}, "unauthenticated"},
		{"one header twice", [][2]string{{"Authorization", "Bearer WEB"}, {"Authorization", "Bearer WEB"}}, "unauthenticated"},
		{"Basic", [][2]string{{"Authorization", "Basic d2ViOndlYg=="}}, "unauthenticated"},
		{"a key without its scheme", [][2]string{{"Authorization", "WEB"}}, "unauthenticated"},
		{"a wrong X-API-Key", [][2]string{{"X-API-Key", "nxs_12345678_wrong"}}, "unauthenticated"},
	} {
		cases = append(cases, one("header: "+c.name, step{workflow: "echo", as: "-", header: fill(c.header), code: c.code}).except(notOwnHeader, onlyWeb...))
	}
	const noURL = "the command sends no query"
	return append(cases,
		one("key in the query", step{workflow: "echo", as: "-", query: "?api_key=" + credential("web"), code: "invalid_input", unread: true}).except(noURL, onlyWeb...),
		one("key in the query and in a header", step{workflow: "echo", query: "?x=" + credential("web"), code: "invalid_input", unread: true}).except(noURL, onlyWeb...),
	)
}

func credential(name string) string { return apps["shop"].credentials[name] }

// fill puts credentials into headers.
func fill(header [][2]string) [][2]string {
	names := strings.NewReplacer("WEB", credential("web"), "BUYER", credential("buyer"))
	out := make([][2]string, len(header))
	for i, pair := range header {
		out[i] = [2]string{pair[0], names.Replace(pair[1])}
	}
	return out
}

// roleCases are about what a caller may run.
func roleCases() []testCase {
	const done = `{"ok":true}`
	forbidden := func(name, workflow, as, inputs string) testCase {
		return one(name, step{workflow: workflow, as: as, inputs: inputs, code: "forbidden"})
	}
	allowed := func(name, workflow, as, inputs string) testCase {
		return one(name, step{workflow: workflow, as: as, inputs: inputs, output: done})
	}
	return []testCase{
		allowed("role of a key", "buyers", "buyer", ""),
		allowed("role of a token", "buyers", "jwt-buyer", ""),
		forbidden("no role", "buyers", "", ""),
		forbidden("another role", "buyers", "seller", ""),
		forbidden("no role, and a blocked key", "buyers", "", `{"eval":1}`),
		forbidden("token without roles", "buyers", "jwt", ""),
		allowed("scope", "scoped", "jwt-writer", ""),
		one("another scope", step{workflow: "scoped", as: "jwt-reader", code: "forbidden", check: wantScopes}),
		one("key without scopes", step{workflow: "scoped", code: "forbidden", check: wantScopes}),
		allowed("condition holds", "few", "", `{"items":[1,2]}`),
		forbidden("condition does not hold", "few", "", `{"items":[1,2,3]}`),
		allowed("condition by role", "few", "bulk", `{"items":[1,2,3]}`),
		forbidden("condition without its input", "few", "", `{}`),
		forbidden("condition with an input of another type", "few", "", `{"items":7}`),
		allowed("condition on the subject of a token", "mine", "jwt", `{"owner":"ada"}`),
		allowed("condition on the client of a key", "mine", "", `{"owner":"web"}`),
		forbidden("condition on another subject", "mine", "jwt", `{"owner":"web"}`),
	}
}

// wantScopes checks that a client is told over HTTP which scope to ask for.
func wantScopes(t *testing.T, ch channel, v verdict) {
	t.Helper()
	if ch.web && ch.name != "websocket" && !strings.Contains(v.raw, `error="insufficient_scope", scope="orders.write orders.admin"`) {
		t.Errorf("the scopes are not named: %s", brief(v.raw))
	}
}

// nameCases are about which workflow is called.
func nameCases() []testCase {
	const missing, done = "workflow_not_found", `{"ok":true}`
	return []testCase{
		one("unknown workflow", step{workflow: "no-such-workflow", code: missing}),
		one("name in other letters", step{workflow: "Echo", code: missing}),
		one("strange name", step{workflow: "é cho/..%2f", code: missing}),
		one("unknown workflow with a blocked key", step{workflow: "no-such-workflow", inputs: `{"eval":1}`, code: missing}),
		one("only over REST", step{workflow: "only-rest", output: done, mcpCode: missing}),
		one("only over MCP", step{workflow: "only-mcp", code: missing, mcpCode: ok, output: done}),
		one("longest name", step{workflow: longName, output: done}),
		one("shortest name", step{workflow: "x", output: done}),
		one("name with digits", step{workflow: "x-42-7", output: done}),
		one("tool with dots and underscores", step{workflow: "tooled", tool: "Shop.tooled_v1.2-beta", output: done}),
		one("tool by its workflow's name", step{workflow: "tooled", output: done, mcpCode: missing}),
	}
}
