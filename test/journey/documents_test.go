package journey

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestDocumentAccess: an OpenAPI document is fetched with the secrets of the workflows that
// name it, and of no others; with those of now, so that a wrong one can be mended.
func TestDocumentAccess(t *testing.T) {
	service := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		name, isDocument := strings.CutSuffix(r.URL.Path, ".json")
		switch {
		case !isDocument:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `"ok"`)
		case r.Header.Get("Authorization") != "Bearer t0ken-of-"+strings.TrimPrefix(name, "/"):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = io.WriteString(w, `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/ask":{"get":{"operationId":"ask","responses":{}}}}}`)
		}
	})
	workflow := func(name string) string {
		return defineWith(name, "", "use: {secrets: ["+name+"]}", `
      - ask: {call: openapi, with: {document: {endpoint: {uri: "`+service.URL+"/"+name+`.json", authentication: {bearer: {use: `+name+`}}}}, operationId: ask}}
`)
	}
	keys := newKeyring(t)
	key := keys.mint("one")
	keys.write("tokens", "prices", "t0ken-of-prices\n")
	keys.write("tokens", "stock", "outdated\n")
	a := serve(t, manifest("  egress: {allow: ['"+service.host+"']}\n  secrets: [{name: prices, secretRef: {name: tokens, key: prices}}, {name: stock, secretRef: {name: tokens, key: stock}}]",
		workflow("prices")+workflow("stock")), keys)
	a.wantOK(a.execute("prices", `{}`, key), `"ok"`)
	a.wantProblem(a.execute("stock", `{}`, key), http.StatusBadGateway, "workflow_failed")
	keys.write("tokens", "stock", "t0ken-of-stock\n")
	a.log.await(t, "Secrets of workflows were read again")
	for strings.Contains(a.status(), `"loaded": false`) {
		if t.Context().Err() != nil {
			t.Fatal("the document was never fetched")
		}
	}
	a.wantOK(a.execute("stock", `{}`, key), `"ok"`)
	for _, request := range service.seen() {
		if allowed := []string{"GET /ask", "GET /prices.json Bearer t0ken-of-prices", "GET /stock.json Bearer outdated", "GET /stock.json Bearer t0ken-of-stock"}; !slices.Contains(allowed, request) {
			t.Errorf("the service saw %s", request)
		}
	}
}
