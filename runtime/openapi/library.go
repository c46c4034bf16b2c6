package openapi

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// resource begins the name of a document that comes with the app: configmap:NAME/KEY.
// Every other name is a URL.
const resource = "configmap:"

// IsURL says whether the name of a document is a URL, from where it has to be fetched.
func IsURL(name string) bool { return !strings.HasPrefix(name, resource) }

// Pin splits the URL of a document from its fragment, which may be #sha256=HEX: the
// content that is meant, and no other. The digest is in lower case, empty without one.
func Pin(url string) (address, digest string, err error) {
	address, fragment, found := strings.Cut(url, "#")
	if !found {
		return address, "", nil
	}
	digest, ok := strings.CutPrefix(fragment, "sha256=")
	digest = strings.ToLower(digest)
	if raw, err := hex.DecodeString(digest); !ok || err != nil || len(raw) != 32 {
		return "", "", errors.New("the fragment of the URL of an OpenAPI document can only be the digest of its content: write #sha256= and 64 hexadecimal digits, or leave it out")
	}
	return address, digest, nil
}

// Library are the documents that come with an app, read when they are first needed. It
// is safe for concurrent use.
type Library struct {
	documents map[string]func() (*Document, error)
}

// NewLibrary returns the library of documents given as text, by their names with
// configmap: at the beginning.
func NewLibrary(texts map[string]string) *Library {
	l := &Library{documents: make(map[string]func() (*Document, error), len(texts))}
	for name, text := range texts {
		l.documents[name] = sync.OnceValues(func() (*Document, error) { return Parse([]byte(text)) })
	}
	return l
}

// Document returns the document of a name.
func (l *Library) Document(name string) (*Document, error) {
	read, ok := l.documents[name]
	switch {
	case !ok && len(l.documents) == 0:
		return nil, fmt.Errorf("there is no OpenAPI document %q", name)
	case !ok:
		return nil, fmt.Errorf("there is no OpenAPI document %q: %s", name, suggest(name, slices.Sorted(maps.Keys(l.documents))))
	}
	return read()
}

// Check says why an operation of a document cannot be called, as far as that can be told
// before the app runs: of a document at a URL, only whether its pin can be read. Reach
// says why a URL is out of reach.
func (l *Library) Check(name, operationID string, reach func(url string) error) error {
	if IsURL(name) {
		_, _, err := Pin(name)
		return err
	}
	document, err := l.Document(name)
	if err != nil {
		return err
	}
	operation, err := document.Operation(operationID)
	if err != nil {
		return err
	}
	url, err := operation.Server("")
	if err != nil {
		return err
	}
	return reach(url)
}
