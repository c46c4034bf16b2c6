package mcp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// wellKnown is where protected resource metadata is (RFC 9728 section 3).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata tells OAuth clients where they get a token for the app's MCP server (RFC 9728).
type Metadata struct {
	url   string
	paths []string
	text  []byte
}

// NewMetadata returns the metadata of an app; nil when it takes no tokens whose issuer
// clients can ask, or does not say where it is reached.
func NewMetadata(doc *config.Document) *Metadata {
	public, err := url.Parse(doc.PublicURL)
	issuers := authorizationServers(doc)
	if err != nil || public.Host == "" || len(issuers) == 0 {
		return nil
	}
	text, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
		Name     string   `json:"resource_name"`
	}{
		Resource: doc.PublicURL + Path, Servers: issuers, Scopes: scopes(doc), Methods: []string{"header"}, Name: doc.Name,
	})
	if err != nil {
		return nil // texts can always be written
	}
	return &Metadata{
		// The path of the resource goes behind the well-known one (section 3.1).
		url:  public.Scheme + "://" + public.Host + wellKnown + public.EscapedPath() + Path,
		text: text,
		// A proxy may have cut off the path of spec.publicURL.
		paths: []string{wellKnown, wellKnown + Path, wellKnown + public.Path + Path},
	}
}

// authorizationServers are the issuers that clients can ask for a token. The cluster's own
// tokens are mounted, not asked for.
func authorizationServers(doc *config.Document) []string {
	var out []string
	if doc.Auth.Mode == v1alpha1.AuthDisabled {
		return nil
	}
	for _, j := range doc.Auth.JWT {
		if strings.HasPrefix(j.Issuer, "https://") || strings.HasPrefix(j.Issuer, "http://") {
			out = append(out, j.Issuer)
		}
	}
	return out
}

// scopes are those that any workflow asks for.
func scopes(doc *config.Document) []string {
	var out []string
	for i := range doc.Workflows {
		if doc.Workflows[i].Exposes(v1alpha1.ChannelMCP) {
			out = append(out, doc.Workflows[i].Authorization.AnyScope...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// URL is where clients outside find the metadata.
func (m *Metadata) URL() string { return m.url }

// Serves says whether the metadata is at a path.
func (m *Metadata) Serves(path string) bool { return slices.Contains(m.paths, path) }

func (m *Metadata) write(w http.ResponseWriter) {
	header := w.Header()
	header["Content-Type"] = jsonType
	header.Set("Cache-Control", "max-age=300")
	_, _ = w.Write(m.text) // the reader may have gone away; net/http leaves it out for HEAD
}
