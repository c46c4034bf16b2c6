package call

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

func gzipped(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	for _, part := range parts {
		if _, err := z.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// awkward serves bodies of every kind, by the path.
func awkward(t *testing.T) http.HandlerFunc {
	t.Helper()
	full := bytes.Repeat([]byte("x"), maxBody)
	packed := map[string][]byte{
		"/gzip": gzipped(t, []byte("hello")), "/gzip-full": gzipped(t, full), "/gzip-more": gzipped(t, full, []byte("x")),
		"/gzip-bad": []byte("no gzip"), "/gzip-cut": gzipped(t, []byte("hello"))[:20], "/gzip-two": append(gzipped(t, []byte("a")), gzipped(t, []byte("b"))...),
		"/gzip-none": nil,
	}
	bomb, member := gzipped(t, bytes.Repeat([]byte{0}, 4*maxBody)), gzipped(t)
	return func(w http.ResponseWriter, r *http.Request) {
		flush := func() { w.(http.Flusher).Flush() }
		switch path := r.URL.Path; path {
		case "/full", "/more", "/chunked-full", "/chunked-more":
			if strings.HasPrefix(path, "/chunked") {
				flush()
			}
			_, _ = w.Write(full)
			if strings.HasSuffix(path, "more") {
				_, _ = w.Write([]byte("x"))
			}
		case "/length":
			w.Header().Set("Content-Length", "1073741824")
			flush()
			<-r.Context().Done()
		case "/declared": // to HEAD
			w.Header().Set("Content-Length", "1073741824")
			w.Header().Set("Content-Encoding", "br")
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(full); err != nil {
					return
				}
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		case "/members": // each of them expands to nothing
			w.Header().Set("Content-Encoding", "gzip")
			for r.Context().Err() == nil {
				if _, err := w.Write(member); err != nil {
					return
				}
			}
		case "/br", "/gzip-gzip":
			w.Header().Set("Content-Encoding", map[string]string{"/br": "br", "/gzip-gzip": "gzip, gzip"}[path])
			_, _ = w.Write([]byte("hello"))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write(make([]byte, 10))
		case "/no-content":
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusNoContent)
		case "/hang":
			<-r.Context().Done()
		case "/hang-body":
			_, _ = w.Write([]byte("{"))
			flush()
			<-r.Context().Done()
		case "/header":
			w.Header().Set("X-Large", strings.Repeat("x", 70000))
		default:
			w.Header().Set("Content-Encoding", "GZip")
			_, _ = w.Write(packed[path])
		}
	}
}

func TestBodyBounds(t *testing.T) {
	goroutines.Settle(t)
	const large, broken = "sends more than ", "breaks off or cannot be read"
	for _, server := range []*httptest.Server{serve(t, awkward(t)), serveTLS(t, awkward(t))} {
		c := callerTo(t, server)
		for _, tc := range []struct {
			path, detail string
			size         int
		}{
			{path: "/full", size: maxBody},
			{path: "/chunked-full", size: maxBody},
			{path: "/more", detail: large + "1048576 bytes"},
			{path: "/chunked-more", detail: large + "1048576 bytes"},
			{path: "/length", detail: large},
			{path: "/endless", detail: large},
			{path: "/gzip", size: 5},
			{path: "/gzip-two", size: 2},
			{path: "/gzip-none", size: 0},
			{path: "/no-content", size: 0},
			{path: "/gzip-full", size: maxBody},
			{path: "/gzip-more", detail: large + "1048576 bytes"},
			{path: "/bomb", detail: large + "1048576 bytes"},
			{path: "/members", detail: large},
			{path: "/gzip-bad", detail: broken},
			{path: "/gzip-cut", detail: broken},
			{path: "/gzip-gzip", detail: broken},
			{path: "/br", detail: broken},
			{path: "/cut", detail: broken},
		} {
			resp, err := c.HTTP(t.Context(), get(server.URL+tc.path))
			if tc.detail != "" {
				if cause := mustFail(t, tc.path, err, workflow.CommunicationError, 502, tc.detail); !strings.Contains(cause, "127.0.0.1:") {
					t.Errorf("%s: the log does not tell the host: %v", tc.path, cause)
				}
				continue
			}
			if err != nil || len(resp.Body) != tc.size {
				t.Errorf("%s: %v", tc.path, err)
			} else if strings.HasPrefix(tc.path, "/gzip") && resp.Header["Content-Encoding"] != "" {
				t.Errorf("%s: the body is told to be compressed: %v", tc.path, resp.Header)
			}
		}
		_, err := c.HTTP(t.Context(), get(server.URL+"/header"))
		mustFail(t, "header", err, workflow.CommunicationError, 503, "cannot be reached")
		head := answered(t, c, &workflow.HTTPRequest{Method: "HEAD", URL: server.URL + "/declared"})
		if head.Status != 200 || len(head.Body) != 0 || head.Header["Content-Length"] != "1073741824" {
			t.Errorf("HEAD: %+v", head)
		}
	}
}

// TestOwnCoding: a workflow may ask for a coding itself, and for a part of a body.
func TestOwnCoding(t *testing.T) {
	server := serve(t, echo)
	c := callerTo(t, server)
	for name, want := range map[string]string{"Accept-Encoding": "identity", "Range": ""} {
		r := get(server.URL)
		r.Header = map[string]string{name: "identity"}
		if got := echoOf(t, answered(t, c, r)).Header.Get("Accept-Encoding"); got != want {
			t.Errorf("%s: asked for %q", name, got)
		}
	}
}

// TestContextEnds: the context's end is the run's, whatever the call was waiting for.
func TestContextEnds(t *testing.T) {
	goroutines.Settle(t)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	deaf := &httptest.Server{Listener: silent}
	for _, server := range []*httptest.Server{serve(t, awkward(t)), serveTLS(t, awkward(t))} {
		c := callerTo(t, server, deaf)
		for _, url := range []string{server.URL + "/hang", server.URL + "/hang-body", "http://" + silent.Addr().String(), "https://" + silent.Addr().String()} {
			for _, redirect := range []bool{false, true} {
				r := get(url)
				r.Redirect = redirect
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
				_, err := c.HTTP(ctx, r)
				cancel()
				if _, ok := errors.AsType[*workflow.Error](err); ok || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "127.0.0.1") {
					t.Errorf("%s: %v", url, err)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.HTTP(ctx, get(server.URL+"/gzip")); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled before: %v", err)
		}
	}
}

// TestUnreachable: what keeps a request from an answer, and the run goes on.
func TestUnreachable(t *testing.T) {
	goroutines.Settle(t)
	gone := nobody()
	rude := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	garbage := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.9\r\n")
			_ = conn.Close()
		}
	})
	stranger := serveTLS(t, echo)
	c := callerTo(t, gone, rude, garbage)
	d := New(Options{Guard: guardTo(t, &httptest.Server{Listener: stranger.Listener})}) // does not trust it
	for name, err := range map[string]error{
		"refused": errorOf(t, c, gone.URL), "closed": errorOf(t, c, rude.URL), "no HTTP": errorOf(t, c, garbage.URL),
		"no TLS": errorOf(t, c, strings.Replace(rude.URL, "http:", "https:", 1)), "untrusted": errorOf(t, d, stranger.URL),
	} {
		if cause := mustFail(t, name, err, workflow.CommunicationError, 503, "the service that the task calls cannot be reached", "SSH"); !strings.Contains(cause, "asking 127.0.0.1:") {
			t.Errorf("%s: the log does not tell the host: %v", name, cause)
		}
	}
}

// TestSwitchingProtocols: nobody asked for it.
func TestSwitchingProtocols(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn) // until the other side closes it
			_ = conn.Close()
		}
	})
	mustFail(t, "101", errorOf(t, callerTo(t, server), server.URL), workflow.CommunicationError, 502, "")
}

func errorOf(t *testing.T, c *Caller, url string) error {
	t.Helper()
	_, err := c.HTTP(t.Context(), get(url))
	return err
}

// slow is what the network says of its own deadlines.
type slow struct{ error }

func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return false }

func TestNetworkTimeouts(t *testing.T) {
	for name, err := range map[string]error{
		"connecting":  context.DeadlineExceeded, // of the dialler, not of the run
		"a handshake": slow{errors.New("TLS handshake timeout at 127.0.0.1")},
	} {
		mustFail(t, name, failure(t.Context(), theService, err), workflow.CommunicationError, 504, "does not answer in time")
	}
	mustFail(t, "another's end", failure(t.Context(), theService, context.Canceled), workflow.CommunicationError, 503, "cannot be reached")
	// The network notices a deadline a little before the context.
	early := deadlineOnly{t.Context()}
	if err := failure(early, theService, slow{errors.New("i/o timeout")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the run's deadline: %v", err)
	}
}

// deadlineOnly is a context whose deadline is over and which has not ended yet.
type deadlineOnly struct{ context.Context }

func (deadlineOnly) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }
