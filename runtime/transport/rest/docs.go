package rest

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"
)

// page is what /docs is made of. It asks for nothing from elsewhere.
//
//go:embed docs
var page embed.FS

// pageFiles are the files of the page, by path, with their types.
var pageFiles = []struct{ path, file, media string }{
	{"/docs", "docs/index.html", pageType + "; charset=utf-8"},
	{"/docs/docs.css", "docs/docs.css", "text/css; charset=utf-8"},
	{"/docs/icon.svg", "docs/icon.svg", "image/svg+xml"},
	{"/docs/api.js", "docs/api.js", scriptType},
	{"/docs/form.js", "docs/form.js", scriptType},
	{"/docs/page.js", "docs/page.js", scriptType},
}

const scriptType = "text/javascript; charset=utf-8"

// pagePolicy lets the page load its own files, call the API that it came from, and do
// nothing else.
var pagePolicy = []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}

// addDocs serves the page. Whoever may load it may not run anything by that: it calls the
// API with the credential that its user types in.
func (h *Handler) addDocs() error {
	if !h.docs {
		return nil
	}
	for _, f := range pageFiles {
		content, err := page.ReadFile(f.file)
		if err != nil {
			return fmt.Errorf("reading the page of the API: %w", err)
		}
		// The page asks for a credential before its first call, which would be refused.
		content = bytes.Replace(content, []byte("{{auth}}"), []byte(h.descriptions.app.Auth.Mode), 1)
		media := []string{f.media}
		serve := func(x *exchange) error {
			header := x.w.Header()
			header["Content-Security-Policy"] = pagePolicy
			header["Referrer-Policy"] = []string{"no-referrer"}
			x.write(http.StatusOK, media, content)
			return nil
		}
		if err := h.routes.add(http.MethodGet, f.path, target{serve: serve, offers: offersAnyway}); err != nil {
			return err
		}
	}
	return nil
}
