package wire

import (
	"net/http"
	"strings"
)

// Instance is what the problem of a request names as its instance: the path as the caller
// wrote it, without the query.
func Instance(r *http.Request) string {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasPrefix(path, "/") {
		return path
	}
	return r.URL.EscapedPath()
}
