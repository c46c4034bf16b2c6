package journey

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/server"
)

// secretive are workflows that let a secret out wherever they can.
func secretive(service *upstream) string {
	workflow := func(name, tasks string) string {
		return defineWith(name, "", "use: {secrets: [pricing, login]}", tasks)
	}
	return workflow("send", `
      - ask: {call: http, with: {method: get, endpoint: {uri: "`+service.URL+`/", authentication: {bearer: {use: pricing}}}}}
`) + workflow("basic", `
      - ask: {call: http, with: {method: get, endpoint: {uri: "`+service.URL+`/", authentication: {basic: {use: login}}}}, output: {as: "{content: ., sent: $authorization.parameter}"}}
`) + workflow("tell", `
      - say: {set: {token: "${ $secrets.pricing }", inside: '${ "<\($secrets.login.password)>" }', names: '${ {($secrets.pricing): 1} }', length: "${ $secrets.pricing | length }"}}
`) + workflow("raise", `
      - fail: {raise: {error: {type: "https://shop.example.com/errors/lost", status: 409, title: Lost, detail: '${ "it was \($secrets.pricing)" }'}}}
`) + workflow("break", `
      - fail: {set: {sum: "${ $secrets.pricing + 1 }"}}
`) + workflow("emit", `
      - say: {emit: {event: {with: {type: t, data: {token: "${ $secrets.pricing }"}}}}, output: {as: .data}}
`)
}

// TestSecrets takes spec.secrets to the calls of workflows, and nowhere else: not to
// callers, not to the log, not to the sink of events.
func TestSecrets(t *testing.T) {
	const token, password, rotated = "pr1cing-t0ken-0123456789abcdef0123456789abcdef", "l0gin-pa55word", "r0tated-t0ken"
	service := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"you sent":"`+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+`"}`)
	})
	var posted strings.Builder
	sink := newUpstream(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&posted, r.Body) })
	keys := newKeyring(t)
	key := keys.mint("one")
	keys.write("pricing", "token", token+"\n")
	keys.write("login", "username", "ada")
	keys.write("login", "password", password)
	a := serve(t, manifest(`  logging: {level: Debug}
  egress: {allow: ['`+service.host+`']}
  events: {sink: '`+sink.URL+`/'}
  secrets: [{name: pricing, secretRef: {name: pricing, key: token}}, {name: login, secretRef: {name: login}}]`, secretive(service)), keys)

	a.wantOK(a.execute("send", `{}`, key), `{"you sent":"[redacted]"}`)
	a.wantOK(a.execute("basic", `{}`, key), `{"content":{"you sent":"Basic [redacted]"},"sent":"[redacted]"}`)
	service.wantSeen(t, "GET / Bearer "+token, "GET / Basic YWRhOmwwZ2luLXBhNTV3b3Jk")
	var replies []answer
	for _, name := range []string{"tell", "raise", "break", "emit"} {
		sync := a.execute(name, `{}`, key, "Idempotency-Key", name)
		again := a.execute(name, `{}`, key, "Idempotency-Key", name)
		if again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s is not replayed: %d %s", name, again.status, again.body)
		}
		stream := a.send(http.MethodPost, "/workflows/"+name+"/execute", `{"mode":"stream"}`, "X-API-Key", key)
		at := stream.header.Get("Location")
		replies = append(replies, sync, again, stream, a.send(http.MethodGet, at, "", "X-API-Key", key),
			a.send(http.MethodGet, at, "", "X-API-Key", key, "Accept", "text/event-stream"))
	}
	replies = append(replies, a.send(http.MethodGet, "/executions", "", "X-API-Key", key))
	a.wantOK(replies[0], `{"inside":"<[redacted]>","length":46,"names":{"[redacted]":1},"token":"[redacted]"}`)
	if p := a.wantProblem(replies[5], http.StatusConflict, "workflow_failed"); p.Error == nil || p.Error.Detail != "it was [redacted]" {
		t.Errorf("raised: %s", replies[5].body)
	}
	a.wantProblem(replies[10], http.StatusBadRequest, "workflow_failed")
	a.log.await(t, "/do/0/fail/set/sum")
	told := posted.String() + a.log.String() + a.status()
	for _, r := range replies {
		told += r.body
	}
	// Errors of jq show the beginnings of values.
	for _, secret := range []string{token[:8], password, "YWRhOmwwZ2luLXBhNTV3b3Jk"} {
		for at := strings.Index(told, secret); at >= 0; at = -1 {
			t.Errorf("%s is told: %s", secret, told[max(0, at-200):min(len(told), at+200)])
		}
	}

	// Whoever calls next uses what the Secret has by then.
	keys.write("pricing", "token", rotated+"\n")
	a.log.await(t, "Secrets of workflows were read again")
	a.execute("send", `{}`, key)
	if seen := service.seen(); seen[len(seen)-1] != "GET / Bearer "+rotated {
		t.Errorf("after the rotation the service saw %q", seen)
	}
}

// TestMissingSecretRefusesToStart: a workflow could not do what it says.
func TestMissingSecretRefusesToStart(t *testing.T) {
	doc, hash := render(t, manifest("  secrets: [{name: pricing, secretRef: {name: pricing, key: token}}]", echo))
	keys := newKeyring(t)
	keys.mint("one")
	keys.publish()
	_, err := server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: keys.root, Output: io.Discard})
	if err == nil || !strings.Contains(err.Error(), `spec.secrets[0]: the entry "token" of Secret "pricing" cannot be read`) {
		t.Errorf("got %v", err)
	}
	doc, hash = render(t, manifest("", defineWith("tell", "", "use: {secrets: [pricing]}", `[{say: {set: {token: "${ $secrets.pricing }"}}}]`)))
	_, err = server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: keys.root, Output: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "spec.workflows[0].definition/use/secrets/0") {
		t.Errorf("a secret that the app does not have: %v", err)
	}
}
