package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// target is one thing to measure: requests, sent in turn, that a server answers with one
// of the statuses.
type target struct {
	name     string
	address  string
	requests []string
	statuses []string
	process  *process
}

func request(path, host, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, host, headers, len(body), body)
}

// flood sends the requests, a number of times in all, over kept-alive connections, one after
// the other on each, and fails on the first reply with another status.
func (t target) flood(ctx context.Context, requests, connections int) error {
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { errs[i] = t.stream(ctx, i, requests/connections) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (t target) stream(ctx context.Context, first, requests int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for n := range requests {
		if _, err := io.WriteString(conn, t.requests[(first*requests+n)%len(t.requests)]); err != nil {
			return fmt.Errorf("%s: sending: %w", t.name, err)
		}
		if err := t.readReply(in); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// readReply reads as little of a reply as its framing needs: the load must not cost
// more than what it measures.
func (t target) readReply(in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the reply: %w", err)
	}
	if !slices.ContainsFunc(t.statuses, func(s string) bool { return strings.HasPrefix(line, "HTTP/1.1 "+s) }) {
		rest, _ := in.Peek(in.Buffered())
		return fmt.Errorf("want a status of %v, got %s%s", t.statuses, line, rest)
	}
	length, chunked := 0, false
	for {
		header, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("reading the reply: %w", err)
		}
		if header == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(header, ":")
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return fmt.Errorf("reading the reply's length: %w", err)
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = true
		}
	}
	if chunked {
		return discardChunks(in)
	}
	if length == 0 {
		return errors.New("the reply has neither a Content-Length nor chunks")
	}
	_, err = in.Discard(length)
	return err
}

// discardChunks reads over a chunked body without trailers.
func discardChunks(in *bufio.Reader) error {
	if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
		return fmt.Errorf("reading the reply's chunks: %w", err)
	}
	_, err := in.ReadString('\n') // the empty line after the last chunk
	return err
}
