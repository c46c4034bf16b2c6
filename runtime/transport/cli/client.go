package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// maxReplyBytes bounds what is read of a reply; runtimes answer with far less.
const maxReplyBytes = 64 << 20

// Options say which server is called, and how.
type Options struct {
	// Server is the URL of the REST API, and MCP that of the server with the MCP endpoint,
	// when it is another one. The endpoint is /mcp there; an URL that ends so is taken as
	// it is.
	Server, MCP string
	// Token is a token or an API key; without one calls are anonymous.
	Token string
	// CAFile holds the certificates, in PEM, of the authorities that are trusted instead
	// of the system's.
	CAFile string
	// InsecureHTTP lets the token go over plain HTTP to other machines.
	InsecureHTTP bool
}

// Client calls a runtime.
type Client struct {
	http        *http.Client
	server, mcp *url.URL
	token       string
	// close ends what the client was made with.
	close func()
}

// NewClient returns a client of a server. It calls nobody yet.
func NewClient(o Options) (*Client, error) {
	server, err := parseServer("--server", o.Server)
	if err != nil {
		return nil, err
	}
	mcp, err := parseServer("--mcp-server", cmp.Or(o.MCP, o.Server))
	if err != nil {
		return nil, err
	}
	if mcp.Path = strings.TrimSuffix(mcp.Path, "/"); !strings.HasSuffix(mcp.Path, "/mcp") {
		mcp = mcp.JoinPath("mcp")
	}
	for _, u := range []*url.URL{server, mcp} {
		if o.Token != "" && u.Scheme == "http" && !o.InsecureHTTP && !isLoopback(u.Hostname()) {
			return nil, usage(fmt.Errorf("a token is not sent over plain HTTP, where whoever is on the way reads it: use https, or give --insecure-http if the way to %s is safe", u.Host))
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		if transport.TLSClientConfig, err = trusting(o.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{http: newHTTPClient(transport), server: server, mcp: mcp, token: o.Token, close: transport.CloseIdleConnections}, nil
}

// Close ends the client's connections.
func (c *Client) Close() { c.close() }

func newHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		// Inputs and token go to the server that was named, and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parseServer reads the URL of a server.
func parseServer(flag, text string) (*url.URL, error) {
	server, err := url.Parse(text)
	if err != nil || server.Host == "" || server.User != nil || server.RawQuery != "" || server.Fragment != "" || server.Scheme != "http" && server.Scheme != "https" {
		return nil, usage(errors.New(flag + ": write the server's URL, such as https://shop.example.com, without user and query"))
	}
	return server, nil
}

// isLoopback says whether a host is this machine. localhost is never looked up elsewhere
// (RFC 6761 section 6.3).
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func trusting(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage(fmt.Errorf("--ca-file: no PEM certificate in %s", caFile))
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// send makes a request of the REST API. The path is escaped already. Who calls closes the
// reply's body.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	return c.sendTo(ctx, method, strings.TrimSuffix(c.server.String(), "/")+path, header, body)
}

func (c *Client) sendTo(ctx context.Context, method, at string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, usage(fmt.Errorf("--server: %w", err))
	}
	maps.Copy(req.Header, header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("calling the server: %w", err)
	}
	return res, nil
}

// ask makes a request whose reply is JSON, and returns the reply when it has one of the
// statuses.
func (c *Client) ask(ctx context.Context, method, path string, header http.Header, body []byte, statuses ...int) ([]byte, error) {
	res, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return readReply(ctx, res, statuses...)
}

func readReply(ctx context.Context, res *http.Response, statuses ...int) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("reading the reply: %w", err)
	case len(raw) > maxReplyBytes:
		return nil, fmt.Errorf("the reply has more than %d MiB", maxReplyBytes>>20)
	}
	if !slices.Contains(statuses, res.StatusCode) {
		return nil, refusal(res, raw)
	}
	return raw, nil
}

// stranger is the error of a reply that no runtime would give.
func (c *Client) stranger() error {
	return fmt.Errorf("%s does not answer like a Nexus server: is --server right?", c.server.Redacted())
}
