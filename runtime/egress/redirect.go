package egress

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 3

// hops makes the exchanges of a client that follows redirects.
type hops struct{ exchange http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (h hops) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.exchange.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		if _, err := req.URL.Parse(location); err != nil { // the client's own error would show it
			_ = resp.Body.Close()
			return nil, &Refused{Host: req.URL.Host, Why: "redirects to a URL that cannot be read"}
		}
	}
	return resp, nil
}

// redirect decides on a redirect before it is followed; RoundTrip then checks where it
// leads like any other request.
func redirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return &Refused{Host: last.Host, Why: fmt.Sprintf("redirects again after %d redirects", maxRedirects)}
	case last.Scheme == "https" && req.URL.Scheme == "http":
		return &Refused{Host: last.Host, Why: "redirects from https to http"}
	}
	req.Header.Del("Referer") // it may hold a query
	if Strayed(req) {
		maps.DeleteFunc(req.Header, func(name string, _ []string) bool { return !slices.Contains(harmless, name) })
	}
	return nil
}

// harmless are the headers that say nothing of who sends them. Any other may hold a
// credential: services name theirs as they like.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "Content-Length", "Content-Type", "User-Agent"}

// Strayed says whether a request follows a redirect and is, or was at a hop before, at
// another host or port than the first one. What was meant for the first host alone, such
// as credentials, does not go with it.
func Strayed(req *http.Request) bool {
	first := req
	for previous(first) != nil {
		first = previous(first)
	}
	for hop := req; hop != first; hop = previous(hop) {
		if !sameHost(hop.URL, first.URL) {
			return true
		}
	}
	return false
}

// previous returns the request whose answer led to this one; nil for the first.
func previous(req *http.Request) *http.Request {
	if req.Response == nil {
		return nil
	}
	return req.Response.Request
}

func sameHost(a, b *url.URL) bool {
	x, errX := destinationOf(a)
	y, errY := destinationOf(b)
	return errX == nil && errY == nil && x == y
}
