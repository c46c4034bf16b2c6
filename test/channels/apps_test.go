package channels

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// maxBytes is spec.input.maxBytes of the app shop.
const maxBytes = 32 << 10

// longName is as long as a workflow's name may be.
var longName = strings.Repeat("long-name-", 6) + "abc"

// shop is the app of most cases. Nothing in it is limited.
const shop = `
  environment: Staging
  rateLimit: {requestsPerMinute: 1000000, authFailuresPerMinute: 1000000}
  trust: {caBundle: {configMapRef: {name: authority, key: ca.crt}}}
  egress: {allow: ["HOST"]}
  input: {maxBytes: 32768, allowedKeys: [__typename]}
  auth:
    apiKeys: {secretRef: {name: keys}}
    jwt:
    - {issuer: "ISSUER", audiences: [shop], algorithms: [ES256]}
    - {issuer: "https://fixed.example.com", audiences: [shop], algorithms: [RS256], publicKeySecretRef: {name: issuer, key: key.pem}}
`

// workflows are those of shop: their name, further fields of the entry, further members of
// the definition, and the tasks.
var workflows = [][4]string{
	{"echo", "", "", `[{reply: {set: "${ . }"}}]`},
	{"order", "", orderSchema, `[{reply: {set: {accepted: "${ .item }", quantity: "${ .quantity }"}}}]`},
	{"buyers", "authorization: {anyRole: [buyer, admin]}", "", `[{reply: {set: {ok: true}}}]`},
	{"scoped", "authorization: {anyScope: [orders.write, orders.admin]}", "", `[{reply: {set: {ok: true}}}]`},
	{"few", `authorization: {when: "size(input.items) <= 2 || 'bulk' in subject.roles"}`, "", `[{reply: {set: {ok: true}}}]`},
	{"mine", `authorization: {when: "subject.name == input.owner"}`, "", `[{reply: {set: {ok: true}}}]`},
	{"only-rest", "expose: [REST]", "", `[{reply: {set: {ok: true}}}]`},
	{"only-mcp", "expose: [MCP]", "", `[{reply: {set: {ok: true}}}]`},
	{"slow", "timeoutSeconds: 1", "", `[{pause: {wait: {seconds: 50}}}]`},
	{"conflict", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/taken", status: 409, title: Taken, detail: somebody was faster}}}}]`},
	{"teapot", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/teapot", status: 418, title: No coffee}}}}]`},
	{"broken", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/broken", status: 500, title: Broken}}}}]`},
	{"absent", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/absent", status: 404, title: No such order}}}}]`},
	{"locked", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/locked", status: 401, title: Locked}}}}]`},
	{"odd-status", "", "", `[{fail: {raise: {error: {type: "https://shop.example.com/errors/odd", status: 302, title: Not an error status}}}}]`},
	{"calls-gone", "", "", `[{ask: {call: http, with: {method: get, endpoint: "http://HOST/gone"}}}]`},
	{"calls-inside", "", "", `[{ask: {call: http, with: {method: get, endpoint: "${ .url }"}}}]`},
	{"adds", "", "", `[{sum: {set: {sum: "${ .a + .b }"}}}]`},
	{"checks-output", "", `output: {schema: {format: json, document: {type: object, required: [total]}}}`, `[{reply: {set: {other: 1}}}]`},
	{longName, "", "", `[{reply: {set: {ok: true}}}]`},
	{"x", "", "", `[{reply: {set: {ok: true}}}]`},
	{"x-42-7", "", "", `[{reply: {set: {ok: true}}}]`},
	{"tooled", `mcp: {toolName: Shop.tooled_v1.2-beta}`, "", `[{reply: {set: {ok: true}}}]`},
	{"gives-null", "", "", `[{reply: {set: "${ null }"}}]`},
	{"gives-text", "", "", `[{reply: {set: "${ \"plain text, \" + .name }"}}]`},
	{"gives-number", "", "", `[{reply: {set: "${ .n }"}}]`},
	{"gives-list", "", "", `[{reply: {set: "${ [1, \"two\", [3], {}, null] }"}}]`},
	{"gives-nothing", "", "", `[{reply: {set: "${ {} }"}}]`},
	{"gives-false", "", "", `[{reply: {set: "${ false }"}}]`},
	{"gives-much", "", "", `[{reply: {set: {rows: "${ [range(20000) | {id: ., name: \"row \\(.)\"}] }"}}}]`},
	{"gives-id", "", "", `[{reply: {set: {id: "${ $workflow.id }"}}}]`},
}

const orderSchema = `input:
        schema:
          format: json
          document:
            type: object
            required: [item, quantity]
            additionalProperties: false
            properties:
              item: {type: string, minLength: 1}
              quantity: {type: integer, minimum: 1}
              color: {enum: [red, green]}
              customer:
                type: object
                properties:
                  address: {type: object, properties: {"zip/code": {type: string, pattern: "^[0-9]{5}$"}}}
              lines: {type: array, maxItems: 2, items: {type: object, required: [sku], properties: {sku: {type: string}}}}`

// limited is the app whose buckets are small. They refill by one in a minute, of which no
// sequence of calls takes more than a part.
const limited = `
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1, burst: 3}
`

var limitedWorkflows = [][4]string{
	{"echo", "", "", `[{reply: {set: "${ . }"}}]`},
	{"order", "", orderSchema, `[{reply: {set: {ok: true}}}]`},
	{"buyers", "authorization: {anyRole: [buyer]}", "", `[{reply: {set: {ok: true}}}]`},
	{"own", "rateLimit: {requestsPerMinute: 1, burst: 1}", "", `[{reply: {set: {ok: true}}}]`},
}

// shared is the app with one bucket for all callers, as large as there are channels to it.
const shared = `
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1, burst: BURST, per: App}
`

// guarded is the app where few refused credentials are let pass.
const guarded = `
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000, authFailuresPerMinute: 1}
`

// strict is the app whose workflows take only what they declare.
const strict = `
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000}
  input: {policy: Strict}
`

// narrow is the app that runs one workflow at once.
const narrow = `
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000}
  limits: {maxConcurrentWorkflows: 1}
  egress: {allow: ["HOST"]}
`

var narrowWorkflows = [][4]string{
	{"echo", "", "", `[{reply: {set: "${ . }"}}]`},
	{"hold", "", "", `[{ask: {call: http, with: {method: get, endpoint: "http://HOST/held"}}}]`},
}

// open is the app that asks nobody who they are.
const open = `
  environment: Development
  rateLimit: {requestsPerMinute: 1000000}
`

// manifest is a NexusApp with this spec and these workflows.
func manifest(name, spec string, workflows [][4]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: nexus.dev/v1alpha1\nkind: NexusApp\nmetadata: {name: %s, namespace: team-a}\nspec:%s  workflows:\n", name, spec)
	for _, w := range workflows {
		fmt.Fprintf(&b, `  - name: %s
    %s
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: %s, version: 1.0.0}
      %s
      do: %s
`, w[0], w[1], w[0], w[2], w[3])
	}
	return b.String()
}

// serveAll serves every app.
func serveAll(s *services) (map[string]*app, error) {
	all := map[string]*app{}
	fill := strings.NewReplacer("HOST", s.host(), "ISSUER", s.issuer.URL, "BURST", fmt.Sprint(len(servedChannels())))
	for name, parts := range map[string]struct {
		spec      string
		workflows [][4]string
	}{
		"shop": {shop, workflows}, "limited": {limited, limitedWorkflows}, "shared": {shared, limitedWorkflows[:1]},
		"guarded": {guarded, limitedWorkflows[:1]}, "strict": {strict, limitedWorkflows[:2]}, "narrow": {narrow, narrowWorkflows}, "open": {open, limitedWorkflows[:2]},
	} {
		a := newApp(name)
		if err := a.write(fill.Replace(manifest(name, parts.spec, parts.workflows)), "app.yaml"); err != nil {
			return all, err
		}
		if err := a.furnish(s); err != nil {
			return all, err
		}
		if err := a.serve(); err != nil {
			return all, err
		}
		all[name] = a
	}
	return all, all["shop"].revoke("revoked")
}

// revoke takes a key away while the app is served.
func (a *app) revoke(client string) error {
	entries, err := os.ReadDir(a.path("secrets", "keys"))
	if err != nil {
		return err
	}
	if err := os.Remove(a.path("secrets", "keys", client)); err != nil {
		return err
	}
	return a.await(fmt.Sprintf(`"entries":%d`, len(entries)-1))
}

// furnish writes the app's Secrets and ConfigMaps, and makes the credentials of its callers.
func (a *app) furnish(s *services) error {
	var none time.Time
	if err := a.key("web", none); err != nil {
		return err
	}
	switch a.name {
	case "shop":
		return a.furnishShop(s)
	case "guarded":
		a.credentials["wrong"] = "nxs_87654321_wrong"
	case "limited":
		for _, c := range channels {
			for _, client := range []string{"burst", "own", "checked", "other"} {
				if err := a.key(client+"-"+c.name, none); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *app) furnishShop(s *services) error {
	var none time.Time
	for _, client := range []struct {
		name    string
		expires time.Time
		roles   []string
	}{
		{"buyer", none, []string{"buyer"}}, {"seller", none, []string{"seller"}}, {"bulk", none, []string{"bulk"}},
		{"revoked", none, nil}, {"expired", time.Now().Add(-time.Hour), []string{"buyer"}}, {"lasting", time.Now().Add(24 * time.Hour), nil},
	} {
		if err := a.key(client.name, client.expires, client.roles...); err != nil {
			return err
		}
	}
	for _, c := range channels {
		if err := a.key("later-"+c.name, none); err != nil {
			return err
		}
	}
	for path, text := range map[[3]string]string{
		{"configmaps", "authority", "ca.crt"}: string(s.issuer.CA()),
		{"secrets", "issuer", "key.pem"}:      string(s.fixed.PEM()),
	} {
		if err := a.write(text, path[0], path[1], path[2]); err != nil {
			return err
		}
	}
	a.refusedKeys()
	a.signTokens(s)
	return nil
}

// refusedKeys are credentials with the form of a key that no entry has.
func (a *app) refusedKeys() {
	good := a.credentials["web"]
	last := byte('A')
	if good[len(good)-1] == last {
		last = 'B'
	}
	a.credentials["wrong-secret"] = good[:len(good)-1] + string(last)
	a.credentials["unknown-id"] = "nxs_" + strings.Repeat("z", 8) + good[len("nxs_")+8:]
	a.credentials["short-key"] = "nxs_short"
	a.credentials["no-token"] = "correct-horse-battery-staple"
	a.credentials["half-token"] = "eyJhbGciOiJSUzI1NiJ9.e30"
}

// signTokens makes tokens, good ones and others.
func (a *app) signTokens(s *services) {
	discovered, fixed := s.issuer.URL, fixedIssuer
	hour := int64(time.Hour / time.Second)
	now := time.Now().Unix()
	maps.Copy(a.credentials, map[string]string{
		"jwt":            s.fixed.Sign(claims(fixed, nil)),
		"jwt-discovered": s.signer.Sign(claims(discovered, nil)),
		"jwt-buyer":      s.fixed.Sign(claims(fixed, map[string]any{"roles": []string{"buyer"}})),
		"jwt-writer":     s.fixed.Sign(claims(fixed, map[string]any{"scope": "orders.read orders.write"})),
		"jwt-reader":     s.fixed.Sign(claims(fixed, map[string]any{"scope": "orders.read"})),
		"jwt-expired":    s.fixed.Sign(claims(fixed, map[string]any{"exp": now - hour, "iat": now - 2*hour})),
		"jwt-early":      s.fixed.Sign(claims(fixed, map[string]any{"nbf": now + hour})),
		"jwt-no-end":     s.fixed.Sign(claims(fixed, map[string]any{"exp": nil})),
		"jwt-audience":   s.fixed.Sign(claims(fixed, map[string]any{"aud": "another-shop"})),
		"jwt-issuer":     s.fixed.Sign(claims("https://other.example.com", nil)),
		"jwt-swapped":    s.signer.Sign(claims(fixed, nil)),
		"jwt-stranger":   s.stranger.Sign(claims(discovered, nil)),
		"jwt-algorithm":  s.fixed.With("RS512").Sign(claims(fixed, nil)),
		"jwt-confused":   tokens.NewHMAC("two", "HS256", s.fixed.PEM()).Sign(claims(fixed, nil)),
		"jwt-none":       unsigned(claims(fixed, nil)),
	})
}

// unsigned is a token that says of itself that it is not signed.
func unsigned(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(payload) + "."
}
