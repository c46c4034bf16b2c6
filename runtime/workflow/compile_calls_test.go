package workflow

import (
	"strings"
	"testing"
)

func TestCompileRefusesCalls(t *testing.T) {
	http := func(with string) string { return oneTask(`{"call":"http","with":` + with + `}`) }
	openapi := func(with string) string { return oneTask(`{"call":"openapi","with":` + with + `}`) }
	mcp := func(with string) string { return oneTask(`{"call":"mcp","with":` + with + `}`) }
	const with = "/do/0/a/with"
	testWrong(t, []wrong{
		{"call a number", oneTask(`{"call":1}`), "/do/0/a/call", "must be a string"},
		{"call without with", oneTask(`{"call":"http"}`), with, "is required"},
		{"with a list", http(`[]`), with, "must be an object"},
		{"grpc", oneTask(`{"call":"grpc","with":{}}`), "/do/0/a/call", `"grpc" is not supported: call an HTTP interface`},
		{"asyncapi", oneTask(`{"call":"asyncapi","with":{}}`), "/do/0/a/call", "spec.events.sink"},
		{"a2a", oneTask(`{"call":"a2a","with":{}}`), "/do/0/a/call", "call the agent over HTTP"},
		{"function of a catalog", oneTask(`{"call":"log:1.0.0@global"}`), "/do/0/a/call", "not fetched"},
		{"unknown function", def(`"use":{"functions":{"getPet":{"set":{"x":1}}}},"do":[{"a":{"call":"getPets"}}]`), "/do/0/a/call", `did you mean "getPet"?`},
		{"function with a list", def(`"use":{"functions":{"f":{"set":{"x":1}}}},"do":[{"a":{"call":"f","with":[]}}]`), with, "must be an object, or an expression"},
		{"function that calls itself", def(`"use":{"functions":{"f":{"do":[{"b":{"call":"f"}}]}}},"do":[{"a":{"call":"f"}}]`), "/use/functions/f/do/0/b/call", "calls itself"},
		{"functions that call one another", def(`"use":{"functions":{"f":{"call":"g"},"g":{"call":"f"}}},` + set), "/use/functions/g/call", `"f" calls itself`},
		{"functions too deep", def(`"use":{"functions":{"f1":{"call":"f2"},"f2":{"call":"f3"},"f3":{"call":"f4"},"f4":{"call":"f5"},"f5":{"call":"f6"},"f6":{"call":"f7"},"f7":{"call":"f8"},"f8":{"call":"f9"},"f9":{"set":{"x":1}}}},"do":[{"a":{"call":"f1"}}]`), "/do/0/a/call", "9 deep, at most 8"},
		{"wrong function that nobody uses", def(`"use":{"functions":{"f":{"set":{}}}},` + set), "/use/functions/f/set", "is empty"},
		{"function that goes elsewhere", def(`"use":{"functions":{"f":{"set":{"x":1},"then":"a"}}},` + set), "/use/functions/f/then", "branches and functions stand alone"},
		{"function that sees a loop", def(`"use":{"functions":{"f":{"set":{"x":"${ $item }"}}}},"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"call":"f"}}]}}]`), "/use/functions/f/set/x", "$item is not defined"},
		// http.
		{"no method", http(`{"endpoint":"https://a.example"}`), with + "/method", "is required"},
		{"odd method", http(`{"method":"get it","endpoint":"https://a.example"}`), with + "/method", "is not a method of HTTP"},
		{"no endpoint", http(`{"method":"get"}`), with + "/endpoint", "is required: the URL to call"},
		{"endpoint a list", http(`{"method":"get","endpoint":[]}`), with + "/endpoint", "must be a URL, or an object"},
		{"endpoint without uri", http(`{"method":"get","endpoint":{}}`), with + "/endpoint/uri", "is required"},
		{"endpoint with a misspelt field", http(`{"method":"get","endpoint":{"url":"https://a.example"}}`), with + "/endpoint/url", `did you mean "uri"?`},
		{"no URL", http(`{"method":"get","endpoint":"/v1/pets"}`), with + "/endpoint", "is not a URL that can be called"},
		{"URL of a file", http(`{"method":"get","endpoint":"file:///etc/passwd"}`), with + "/endpoint", "is not a URL that can be called"},
		{"URL of a file in an expression", http(`{"method":"get","endpoint":"${ \"ftp://a.example/\" + .x }"}`), with + "/endpoint", "is not a URL that can be called"},
		{"URL without host", http(`{"method":"get","endpoint":"https:///x"}`), with + "/endpoint", "has no host"},
		{"URL with an odd host", http(`{"method":"get","endpoint":"https://a%zz/x"}`), with + "/endpoint", "has no host"},
		{"URL with a user", http(`{"method":"get","endpoint":"https://me:s3cret@a.example/x"}`), with + "/endpoint", "put credentials into authentication"},
		{"URL out of reach", http(`{"method":"get","endpoint":"https://evil.example/x"}`), with + "/endpoint", "spec.egress.allow"},
		{"URL out of reach in an object", http(`{"method":"get","endpoint":{"uri":"https://evil.example/{id}"}}`), with + "/endpoint/uri", "spec.egress.allow"},
		{"URL out of reach in an expression", http(`{"method":"get","endpoint":"${ \"https://evil.example/\" + .x }"}`), with + "/endpoint", "spec.egress.allow"},
		{"URL out of reach in an interpolation", http(`{"method":"get","endpoint":"${ \"https://evil.example/\\(.x)\" }"}`), with + "/endpoint", "spec.egress.allow"},
		{"expression inside a URL", http(`{"method":"get","endpoint":"https://a.example/${ .x }"}`), with + "/endpoint", "make the whole string one expression"},
		{"other expansion", http(`{"method":"get","endpoint":"https://a.example/{?q}"}`), with + "/endpoint", "has {?q}, which is not supported"},
		{"URL with a space", http(`{"method":"get","endpoint":"https://a.example/a b/{x}"}`), with + "/endpoint", "write %20 for a space"},
		{"no variable", http(`{"method":"get","endpoint":"https://a.example/{}"}`), with + "/endpoint", "has {}, which is not supported"},
		{"open brace", http(`{"method":"get","endpoint":"https://a.example/{id"}`), with + "/endpoint", "brace without its counterpart"},
		{"wrong expression", http(`{"method":"get","endpoint":"${ .x + }"}`), with + "/endpoint", "ends too early"},
		{"headers a list", http(`{"method":"get","endpoint":"https://a.example","headers":[]}`), with + "/headers", "must be an object, or an expression"},
		{"query a plain text", http(`{"method":"get","endpoint":"https://a.example","query":"a=b"}`), with + "/query", "must be an object, or an expression"},
		{"odd output", http(`{"method":"get","endpoint":"https://a.example","output":"body"}`), with + "/output", "must be content, response or raw"},
		{"redirect a text", http(`{"method":"get","endpoint":"https://a.example","redirect":"yes"}`), with + "/redirect", "must be true or false"},
		{"misspelt field", http(`{"method":"get","endpoint":"https://a.example","header":{}}`), with + "/header", `did you mean "headers"?`},
		// openapi.
		{"no document", openapi(`{"operationId":"x"}`), with + "/document", "is required"},
		{"document a text", openapi(`{"operationId":"x","document":"https://a.example"}`), with + "/document", "must be an object"},
		{"document without endpoint", openapi(`{"operationId":"x","document":{}}`), with + "/document/endpoint", "is required: a URL, or configmap:NAME/KEY"},
		{"document from data", openapi(`{"operationId":"x","document":{"endpoint":"https://a.example/{id}"}}`), with + "/document/endpoint", "must be known beforehand"},
		{"document from an expression", openapi(`{"operationId":"x","document":{"endpoint":"${ .url }"}}`), with + "/document/endpoint", "must be known beforehand"},
		{"document out of reach", openapi(`{"operationId":"x","document":{"endpoint":"https://evil.example/x"}}`), with + "/document/endpoint", "spec.egress.allow"},
		{"no operation", openapi(`{"document":{"endpoint":"configmap:a/b"}}`), with + "/operationId", "is required"},
		{"operation that does not exist", openapi(`{"operationId":"missing","document":{"endpoint":"configmap:a/b"}}`), with + "/operationId", "there is no such operation"},
		{"parameters a list", openapi(`{"operationId":"x","document":{"endpoint":"configmap:a/b"},"parameters":[]}`), with + "/parameters", "must be an object, or an expression"},
		// mcp.
		{"mcp without method", mcp(`{"transport":{"http":{"endpoint":"https://a.example"}}}`), with + "/method", "is required"},
		{"mcp with an odd method", mcp(`{"method":"tools/delete","transport":{"http":{"endpoint":"https://a.example"}}}`), with + "/method", `"tools/delete" is not supported: write tools/list or tools/call`},
		{"mcp without transport", mcp(`{"method":"tools/list"}`), with + "/transport", "is required"},
		{"mcp transport a text", mcp(`{"method":"tools/list","transport":"http"}`), with + "/transport", "must be an object"},
		{"mcp stdio", mcp(`{"method":"tools/list","transport":{"stdio":{"command":"npx"}}}`), with + "/transport/stdio", "pods start no other programs"},
		{"mcp options", mcp(`{"method":"tools/list","transport":{"options":{},"http":{"endpoint":"https://a.example"}}}`), with + "/transport/options", "is not supported"},
		{"mcp without http", mcp(`{"method":"tools/list","transport":{}}`), with + "/transport/http", "is required"},
		{"mcp out of reach", mcp(`{"method":"tools/list","transport":{"http":{"endpoint":"https://evil.example"}}}`), with + "/transport/http/endpoint", "spec.egress.allow"},
		{"mcp with a wrong timeout", mcp(`{"method":"tools/list","timeout":5,"transport":{"http":{"endpoint":"https://a.example"}}}`), with + "/timeout", "must be a duration"},
		{"mcp client without version", mcp(`{"method":"tools/list","client":{"name":"x"},"transport":{"http":{"endpoint":"https://a.example"}}}`), with + "/client/version", "is required"},
	})
}

func TestCompileRefusesAuthentication(t *testing.T) {
	const at = "/do/0/a/with/endpoint/authentication"
	on := func(policy string) string {
		return def(`"use":{"secrets":["pricing"],"authentications":{"known":{"bearer":{"token":"x"}}}},"do":[{"a":{"call":"http","with":{"method":"get","endpoint":{"uri":"https://a.example","authentication":` + policy + `}}}}]`)
	}
	testWrong(t, []wrong{
		{"a text", on(`"known"`), at, "must be an object"},
		{"unknown", on(`{"use":"knwn"}`), at + "/use", `there is no "knwn" in use.authentications: did you mean "known"?`},
		{"use and more", on(`{"use":"known","bearer":{"token":"x"}}`), at + "/bearer", "does not exist"},
		{"nothing", on(`{}`), at, "must have one member"},
		{"two schemes", on(`{"bearer":{"token":"x"},"basic":{"username":"a","password":"b"}}`), at, "must have one member"},
		{"unknown scheme", on(`{"barer":{"token":"x"}}`), at + "/barer", `did you mean "bearer"?`},
		{"certificate", on(`{"certificate":{}}`), at + "/certificate", "is not supported"},
		{"bearer a text", on(`{"bearer":"${ .token }"}`), at + "/bearer", "must be an object"},
		{"bearer without token", on(`{"bearer":{}}`), at + "/bearer/token", "or write {use: NAME} of a secret"},
		{"basic without password", on(`{"basic":{"username":"a"}}`), at + "/basic/password", "is required"},
		{"digest with a number", on(`{"digest":{"username":"a","password":1234}}`), at + "/digest/password", "must be a text, not a number: put it in quotes"},
		{"a secret that is not used", on(`{"bearer":{"use":"stock"}}`), at + "/bearer/use", `the secret "stock" is not in use.secrets`},
		{"secret and more", on(`{"bearer":{"use":"pricing","token":"x"}}`), at + "/bearer/token", "does not exist"},
		{"a password in parts", on(`{"basic":{"username":"a","password":{"b":"c"}}}`), at + "/basic/password", "must be a text, not an object"},
		{"an id that is a list", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":["a"]}}}`), at + "/oauth2/client/id", "must be a text, not an array"},
		{"misspelt property", on(`{"basic":{"user":"a","password":"b"}}`), at + "/basic/user", "does not exist"},
		{"oauth2 without grant", on(`{"oauth2":{"authority":"https://id.example","client":{"id":"a"}}}`), at + "/oauth2/grant", "is required"},
		{"oauth2 with a password", on(`{"oauth2":{"authority":"https://id.example","grant":"password","username":"a","client":{"id":"a"}}}`), at + "/oauth2/grant", `"password" is not supported: write client_credentials`},
		{"oauth2 with a username", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","username":"a","client":{"id":"a"}}}`), at + "/oauth2/username", "is not supported"},
		{"oauth2 without client", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials"}}`), at + "/oauth2/client/id", "is required, unless"},
		{"oauth2 with an odd client authentication", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":"a","authentication":"tls"}}}`), at + "/oauth2/client/authentication", "write client_secret_post or"},
		{"oauth2 without assertion", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":"a","authentication":"private_key_jwt"}}}`), at + "/oauth2/client/assertion", "is required with private_key_jwt"},
		{"oauth2 with an odd encoding", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":"a"},"request":{"encoding":"xml"}}}`), at + "/oauth2/request/encoding", "application/json"},
		{"oauth2 with a misspelt client field", on(`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":"a","secrt":"b"}}}`), at + "/oauth2/client/secrt", `did you mean "secret"?`},
		{"oauth2 out of reach", on(`{"oauth2":{"authority":"https://evil.example","grant":"client_credentials","client":{"id":"a"}}}`), at + "/oauth2/authority", "spec.egress.allow"},
		{"oidc without authority", on(`{"oidc":{"grant":"client_credentials","client":{"id":"a"}}}`), at + "/oidc/authority", "is required"},
		{"a list in use", def(`"use":{"authentications":{"x":[]}},` + set), "/use/authentications/x", "must be an object with one member"},
		{"use in use", def(`"use":{"authentications":{"x":{"use":"y"}}},` + set), "/use/authentications/x/use", "does not exist"},
	})
}

func TestCompileRefusesUse(t *testing.T) {
	testWrong(t, []wrong{
		{"use a list", def(`"use":[],` + set), "/use", "must be an object"},
		{"catalogs", def(`"use":{"catalogs":{}},` + set), "/use/catalogs", "define them in use.functions"},
		{"extensions", def(`"use":{"extensions":[]},` + set), "/use/extensions", "write the tasks before and after"},
		{"misspelt section", def(`"use":{"function":{}},` + set), "/use/function", `did you mean "functions"?`},
		{"section a list", def(`"use":{"errors":[]},` + set), "/use/errors", "must be an object, not an array"},
		{"secrets an object", def(`"use":{"secrets":{}},` + set), "/use/secrets", "must be a list of names"},
		{"secret a number", def(`"use":{"secrets":[1]},` + set), "/use/secrets/0", "must be a name, not a number"},
		{"wrong error that nobody uses", def(`"use":{"errors":{"e":{"type":"x"}}},` + set), "/use/errors/e/status", "is required"},
	})
}

func TestCompileRefusesProcesses(t *testing.T) {
	testWrong(t, []wrong{
		{"run a text", oneTask(`{"run":"child"}`), "/do/0/a/run", "must be an object"},
		{"run a script", oneTask(`{"run":{"script":{"language":"js","code":"1"}}}`), "/do/0/a/run/script", "pods start no other programs"},
		{"run a shell", oneTask(`{"run":{"shell":{"command":"ls"}}}`), "/do/0/a/run/shell", "pods start no other programs"},
		{"run a container", oneTask(`{"run":{"container":{"image":"alpine"}}}`), "/do/0/a/run/container", "pods start no other programs"},
		{"run nothing", oneTask(`{"run":{}}`), "/do/0/a/run/workflow", "is required"},
		{"workflow a text", oneTask(`{"run":{"workflow":"child"}}`), "/do/0/a/run/workflow", "must be an object"},
		{"workflow without version", oneTask(`{"run":{"workflow":{"namespace":"shop","name":"child"}}}`), "/do/0/a/run/workflow/version", "is required"},
		{"input a list", oneTask(`{"run":{"workflow":{"namespace":"shop","name":"child","version":"1.0.0","input":[]}}}`), "/do/0/a/run/workflow/input", "must be an object, or an expression"},
		{"await a text", oneTask(`{"run":{"await":"no","workflow":{"namespace":"shop","name":"child","version":"1.0.0"}}}`), "/do/0/a/run/await", "must be true or false"},
		{"return", oneTask(`{"run":{"return":"all","workflow":{"namespace":"shop","name":"child","version":"1.0.0"}}}`), "/do/0/a/run/return", "is not supported"},
	})
}

// child is a definition of another workflow.
func child(name, version, members string) []byte {
	return []byte(`{"document":{"dsl":"1.0.3","namespace":"shop","name":"` + name + `","version":"` + version + `"},` + members + `}`)
}

// runs is a list of one task that runs another workflow.
func runs(name, version string) string {
	return `"do":[{"a":{"run":{"workflow":{"namespace":"shop","name":"` + name + `","version":"` + version + `"}}}}]`
}

func TestLink(t *testing.T) {
	const at = "/do/0/a/run/workflow"
	deep := map[string]string{}
	for i := range 10 {
		deep[string(rune('a'+i))] = runs(string(rune('b'+i)), "1.0.0")
	}
	deep["k"] = set
	tests := []struct {
		name      string
		workflows map[string]string
		of        string
		pointer   string
		message   string
	}{
		{"misspelt", map[string]string{"quote": runs("chld", "1.0.0"), "child": set}, "quote", at + "/name", `there is no workflow "chld" in this app: did you mean "child"?`},
		{"other version", map[string]string{"quote": runs("child", "2.0.0"), "child": set}, "quote", at + "/version", `has the version "1.0.0": write that, or latest`},
		{"other namespace", map[string]string{"quote": strings.Replace(runs("child", "1.0.0"), "shop", "store", 1), "child": set}, "quote", at + "/namespace", `has the namespace "shop"`},
		{"runs itself", map[string]string{"quote": runs("quote", "1.0.0")}, "quote", at, "comes to run this workflow again"},
		{"circle", map[string]string{"quote": runs("child", "latest"), "child": runs("quote", "latest")}, "child", at, "comes to run this workflow again"},
		{"leads to a circle", map[string]string{"quote": runs("b", "latest"), "b": runs("c", "latest"), "c": runs("b", "latest")}, "quote", "", ""},
		{"too deep", deep, "a", at, "10 deep from here, at most 8"},
		{"just not too deep", deep, "c", "", ""},
		{"refers to one that did not compile", map[string]string{"quote": runs("child", "1.0.0"), "child": `"do":[]`}, "quote", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var programs []*Program
			found := map[string][]Problem{}
			var names []string
			for name, members := range tt.workflows {
				p, _ := Compile(name, child(name, "1.0.0", members), Environment{})
				programs, names = append(programs, p), append(names, name)
			}
			for i, problems := range Link(programs) {
				found[names[i]] = problems
			}
			problems := found[tt.of]
			switch {
			case tt.message == "" && len(problems) > 0:
				t.Errorf("got %v", problems)
			case tt.message != "" && (len(problems) != 1 || problems[0].Pointer != tt.pointer || !strings.Contains(problems[0].Message, tt.message)):
				t.Errorf("want %s: %s, got %v", tt.pointer, tt.message, problems)
			}
		})
	}
}
