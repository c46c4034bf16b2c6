package call

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// maxBody is how many bytes of a response are read, once they are expanded.
	maxBody = 1 << 20
	// maxPacked is how many bytes they may be before that: what does not compress grows a
	// little.
	maxPacked = maxBody + maxBody/16
)

// bounded has a bound for each body, and expands it.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. Reading more of the body than its bound is a
// *http.MaxBytesError.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	req = req.Clone(ctx)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "nexus")
	}
	if req.Header.Get("Accept-Encoding") == "" && req.Header.Get("Range") == "" && req.Method != http.MethodHead {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := bodyWithin(resp, req.Method)
	if err != nil {
		_ = resp.Body.Close()
		return nil, unreadable(ctx, theService, fmt.Errorf("%s: %w", resp.Request.URL.Host, err))
	}
	resp.Body = body
	return resp, nil
}

// bodyWithin returns the body with its bound, expanded.
func bodyWithin(resp *http.Response, method string) (io.ReadCloser, error) {
	encoding := strings.ToLower(resp.Header.Get("Content-Encoding"))
	packed := encoding == "gzip" || encoding == "x-gzip"
	most := int64(maxBody)
	if packed {
		most = maxPacked
	}
	switch {
	case method == http.MethodHead: // the header tells of a body that does not come
		return resp.Body, nil
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, errors.New("switches to another protocol, which was not asked for")
	case !packed && encoding != "" && encoding != "identity":
		return nil, errors.New("sends a body with a Content-Encoding that was not asked for")
	case resp.ContentLength > most:
		return nil, &http.MaxBytesError{Limit: most}
	}
	body := http.MaxBytesReader(nil, resp.Body, most)
	if packed {
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
		body = http.MaxBytesReader(nil, &unpacked{packed: body}, maxBody)
	}
	return body, nil
}

// unpacked expands a body as it is read; the header of an empty one is never read.
type unpacked struct {
	packed io.ReadCloser
	reader *gzip.Reader
}

// Read implements io.Reader.
func (u *unpacked) Read(p []byte) (int, error) {
	if u.reader == nil {
		reader, err := gzip.NewReader(u.packed)
		if err != nil {
			return 0, err // io.EOF when there is no body
		}
		u.reader = reader
	}
	return u.reader.Read(p)
}

// Close implements io.Closer.
func (u *unpacked) Close() error { return u.packed.Close() }
