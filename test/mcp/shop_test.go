package mcp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// shop is the app that the official clients call. SERVICE is where one of its workflows
// calls.
const shop = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Staging
  replicas: 1
  auth: {apiKeys: {secretRef: {name: keys}}}
  egress: {allow: ["SERVICE"]}
  prompts:
  - name: review
    configMapRef: {name: prompts, key: review.yaml}
  workflows:
  - name: add
    definition:
      document:
        dsl: "1.0.3"
        namespace: team-a
        name: add
        version: 1.0.0
        title: Add
        summary: Adds two numbers.
        metadata: {mcp: {readOnlyHint: true}}
      input:
        schema:
          format: json
          document:
            type: object
            required: [a, b]
            additionalProperties: false
            properties: {a: {type: number}, b: {type: number}}
      output:
        schema:
          format: json
          document:
            type: object
            required: [sum]
            properties: {sum: {type: number}}
      do: [{add: {set: {sum: "${ .a + .b }"}}}]
  - name: picture
    mcp: {toolName: draw_picture, result: Content}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: picture, version: 1.0.0, summary: Draws.}
      do:
      - draw:
          set:
            contents:
            - {type: text, text: A dot.}
            - {type: image, mimeType: image/png, data: aGVsbG8=}
          output: {as: .contents}
  - name: refuse
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: refuse, version: 1.0.0, summary: Never works.}
      do: [{say: {raise: {error: {type: https://shop.example.com/errors/taken, status: 409, title: The order is taken already}}}}]
  - name: steps
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: steps, version: 1.0.0, summary: Goes step by step.}
      do:
      - first: {set: {step: 1}}
      - second: {set: {step: 2}}
      - third: {set: {step: 3}}
  - name: echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0, summary: Answers with its input.}
      do: [{answer: {set: "${ . }"}}]
  - name: ask
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: ask, version: 1.0.0, summary: Asks a service that answers late.}
      do: [{ask: {call: http, with: {method: post, endpoint: "http://SERVICE/ask"}}}]
  - name: close-shop
    authorization: {anyRole: [owner]}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: close-shop, version: 1.0.0, summary: For owners.}
      do: [{close: {set: {closed: true}}}]
  - name: opening-hours
    mcp: {result: Content, resource: {uri: "shop://opening-hours", mimeType: text/plain}}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: opening-hours, version: 1.0.0, summary: Says when the shop is open.}
      do: [{say: {set: {type: text, text: From nine to five.}}}]
  - name: order
    mcp: {resource: {uri: "shop://orders/{id}"}}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: order, version: 1.0.0, summary: Finds an order.}
      input:
        schema:
          format: json
          document:
            type: object
            required: [id]
            properties: {id: {type: integer}}
      do: [{find: {set: {id: "${ .id }", next: "${ .id + 1 }"}}}]
---
kind: ConfigMap
metadata: {name: prompts}
data:
  review.yaml: |
    title: Review
    description: Has an order reviewed.
    arguments:
    - {name: order, description: Its number, required: true, values: ["4711", "4712", "5000"]}
    messages:
    - {role: user, content: "Review order {{order}}."}
`

// startShop serves the app, and returns its URL and the key of somebody who is no owner.
func startShop(t *testing.T, service string) (url, key string) {
	t.Helper()
	a := newApp(t, []byte(strings.ReplaceAll(shop, "SERVICE", strings.TrimPrefix(service, "http://"))))
	key = a.key("keys", "client")
	return a.serve(), key
}

// lateService answers /ask only when nobody listens any more. /arrived answers once
// somebody asked, and /left once he is gone: whoever cancels a call waits for both.
func lateService(t *testing.T) *httptest.Server {
	t.Helper()
	arrived, left := make(chan struct{}, 16), make(chan struct{}, 16)
	await := func(event chan struct{}) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-event:
			case <-r.Context().Done():
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ask", func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	mux.HandleFunc("/arrived", await(arrived))
	mux.HandleFunc("/left", await(left))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}
