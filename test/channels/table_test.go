package channels

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long an answer is awaited before a test gives up.
const patience = 30 * time.Second

// call is one call of a workflow, as a channel is asked to make it.
type call struct {
	app            *app
	workflow, tool string
	// inputs is the text of the inputs, which need not be JSON.
	inputs string
	// token is presented as the bearer, unless header says otherwise.
	token  string
	header [][2]string
	query  string
	// key is the idempotency key; empty for none.
	key string
	// async has the caller ask for the outcome later, and stream be told of the tasks.
	async, stream bool
}

func (c call) toolName() string {
	if c.tool != "" {
		return c.tool
	}
	return c.workflow
}

// headers are those with the caller's credential.
func (c call) headers() http.Header {
	header := http.Header{}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	for _, pair := range c.header {
		header.Add(pair[0], pair[1])
	}
	return header
}

// caller makes calls over one channel, and checks that what it answers has the form that the
// channel should have.
type caller interface {
	call(t *testing.T, c call) verdict
}

// channel is one way to call a workflow.
type channel struct {
	name string
	caller
	// mcp says that its calls are those of MCP, web that they have headers and a URL of
	// their own, and apart that each is made by a process of its own.
	mcp, web, apart bool
}

// The channels.
var (
	lineDated, lineStateless, lineFile = &stdio{revision: dated}, &stdio{revision: stateless}, &stdio{revision: dated, file: true}

	channels = []channel{
		{name: "rest", caller: rest{}, web: true},
		{name: "mcp-" + dated, caller: post{dated}, mcp: true, web: true},
		{name: "mcp-" + stateless, caller: post{stateless}, mcp: true, web: true},
		{name: "websocket", caller: socket{}, mcp: true, web: true},
		{name: "stdio-" + dated, caller: lineDated, mcp: true},
		{name: "stdio-" + stateless, caller: lineStateless, mcp: true},
		{name: "stdio-file", caller: lineFile, mcp: true},
		{name: "command", caller: command{}, apart: true},
		{name: "command-file", caller: command{file: true}, apart: true},
	}
)

// fromFile are the channels without a server.
var fromFile = []string{"stdio-file", "command-file"}

// unserved says of the channels without a server why they cannot tell a case.
func unserved(reason string) map[string]string {
	return testCase{}.except(reason, fromFile...).not
}

// servedChannels are those to a server.
func servedChannels() []channel {
	return slices.DeleteFunc(slices.Clone(channels), func(c channel) bool { return slices.Contains(fromFile, c.name) })
}

// step is one call of a case, and what it should come to.
type step struct {
	// app is its name, shop where it is empty; as names a credential of the app, web where it
	// is empty and none where it is a dash.
	app, as        string
	workflow, tool string
	inputs         string
	header         [][2]string
	query          string
	key            string
	async, stream  bool
	// code is the one of every channel, ok where it is empty; over MCP it is mcpCode, where
	// that is set.
	code, mcpCode string
	// output is the one of a run that succeeds, unless it is not known beforehand.
	output string
	// check looks at more of the verdict.
	check func(t *testing.T, ch channel, v verdict)
	// unread says that the call is refused before it is read who asks: over MCP its answer
	// may lack the id.
	unread bool
}

// testCase is one row of the table. Its steps are made one after the other, over the same
// channel.
type testCase struct {
	name  string
	steps []step
	// not says why the case cannot be told over a channel, by its name.
	not map[string]string
	// prepare runs before the steps; what it begins it ends with the test.
	prepare func(t *testing.T)
}

// one is a case of one call.
func one(name string, s step) testCase { return testCase{name: name, steps: []step{s}} }

// except adds why a case cannot be told over some channels.
func (c testCase) except(reason string, names ...string) testCase {
	not := map[string]string{}
	maps.Copy(not, c.not)
	for _, name := range names {
		not[name] = reason
	}
	c.not = not
	return c
}

// onlyWeb are the channels whose callers write no headers and no URL of their own.
var onlyWeb = []string{"stdio-" + dated, "stdio-" + stateless, "stdio-file", "command", "command-file"}

// table is every case.
func table() []testCase {
	return slices.Concat(credentialCases(), roleCases(), nameCases(), keyCases(), pathCases(), jsonCases(), schemaCases(),
		limitCases(), sizeCases(), faultCases(), outputCases(), repeatCases())
}

// TestChannels runs the table over every channel, side by side.
func TestChannels(t *testing.T) {
	for _, ch := range channels {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range table() {
				if c.not[ch.name] != "" {
					continue // TestTable wants a reason, and counts them
				}
				t.Run(c.name, func(t *testing.T) {
					if ch.apart {
						t.Parallel()
					}
					if c.prepare != nil {
						c.prepare(t)
					}
					for _, s := range c.steps {
						ch.judge(t, s)
					}
				})
			}
		})
	}
}

// judge makes a call over the channel and checks the verdict.
func (ch channel) judge(t *testing.T, s step) {
	t.Helper()
	v := ch.call(t, ch.callOf(s))
	want := s.code
	if ch.mcp && s.mcpCode != "" {
		want = s.mcpCode
	}
	if want == "" {
		want = ok
	}
	if v.unnamed && !s.unread && !beforeReading[v.code] {
		t.Errorf("the answer does not say which request it is to: %s", brief(v.raw))
	}
	switch {
	case v.code != want:
		t.Errorf("%s with %s is %s, want %s: %s", s.workflow, brief(s.inputs), v.code, want, brief(v.raw))
	case want == ok && s.output != "" && v.output != canonical(t, []byte(s.output)):
		t.Errorf("the output is %s, want %s", brief(v.output), brief(s.output))
	case s.check != nil:
		s.check(t, ch, v)
	}
}

// beforeReading are the codes of what is found out before a message is read, or is not read
// to its end.
var beforeReading = map[string]bool{"unauthenticated": true, "forbidden": true, "rate_limited": true, "body_too_large": true, "overloaded": true}

func (ch channel) callOf(s step) call {
	c := call{
		app: apps["shop"], workflow: s.workflow, tool: s.tool, inputs: s.inputs, header: s.header, query: s.query,
		key: strings.ReplaceAll(s.key, "{channel}", ch.name), async: s.async, stream: s.stream,
	}
	if s.app != "" {
		c.app = apps[s.app]
	}
	switch s.as {
	case "":
		c.token = c.app.credential("web", ch.name)
	case "-":
	default:
		c.token = c.app.credential(s.as, ch.name)
	}
	if c.inputs == "" {
		c.inputs = "{}"
	}
	return c
}

// TestTable holds the table to what it is for: enough cases, each of them over several
// channels, and every exception with its reason.
func TestTable(t *testing.T) {
	cases, everywhere := table(), 0
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Errorf("two cases have the name %q", c.name)
		}
		names[c.name] = true
		for name, reason := range c.not {
			if reason == "" || !slices.ContainsFunc(channels, func(ch channel) bool { return ch.name == name }) {
				t.Errorf("%s: an exception for %q with the reason %q", c.name, name, reason)
			}
		}
		if len(c.not) == 0 {
			everywhere++
		}
		if runs := len(channels) - len(c.not); runs < 4 {
			t.Errorf("%s runs over %d channels, want at least 4", c.name, runs)
		}
	}
	if len(cases) < 90 || everywhere < 60 {
		t.Errorf("%d cases, of which %d over every channel", len(cases), everywhere)
	}
	t.Logf("%d cases, of which %d over every channel", len(cases), everywhere)
}
