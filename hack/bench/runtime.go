package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// body is a request of 1 KiB such as shops send.
func body() string {
	var items []string
	for i := range 9 {
		items = append(items, fmt.Sprintf(`{"sku":"SKU-%04d-RED","quantity":%d,"unitPrice":%d.95,"note":"Gift wrap, please. Ring twice."}`, i, i+1, 10+i))
	}
	s := `{"inputs":{"customer":{"id":"c-20931","name":"Ada Lovelace","tier":"gold"},"items":[` + strings.Join(items, ",") + `]}}`
	return s
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// untilReady polls a URL until it answers 200 and returns the time since began.
func untilReady(ctx context.Context, url string, began time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(began), nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s was not ready in 30 s", url)
		case <-tick.C:
		}
	}
}

// benchRuntime measures start-up, idle memory, image size, the policy path and floods.
func benchRuntime(ctx context.Context, o options, log *os.File) ([]row, error) {
	dir, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s := &servers{folder: dir, log: log, options: o}
	defer s.stop()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := s.benchStart(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.startAll(ctx); err != nil {
		return nil, err
	}
	for _, bench := range []func(context.Context) ([]row, error){s.benchPolicyPath, s.benchTwoTasks, s.benchWaiting} {
		more, err := bench(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (s *servers) benchStart(ctx context.Context) ([]row, error) {
	var starts []time.Duration
	var now float64
	for range s.rounds * 2 {
		began := time.Now()
		n, err := s.startNexus(ctx, "local")
		if err != nil {
			return nil, err
		}
		starts = append(starts, time.Since(began))
		if now, _, err = n.process.memory(); err != nil {
			return nil, err
		}
		n.process.stop()
	}
	slices.Sort(starts)
	rows := []row{
		{"runtime: start to ready", fmt.Sprintf("%d ms (median of %d)", starts[len(starts)/2].Milliseconds(), len(starts)), "≤ 250 ms"},
		{"runtime: idle memory", fmt.Sprintf("%.1f MiB RSS", now), "≤ 40 MiB"},
	}
	size, err := imageSize(s.image)
	if err != nil {
		return nil, err
	}
	return append(rows, row{"runtime: image", fmt.Sprintf("%.1f MB compressed", float64(size)/1e6), "≤ 15 MB"}), nil
}

// imageSize is the number of bytes of an image archive's compressed layers.
func imageSize(archive string) (int64, error) {
	f, err := os.Open(archive)
	if err != nil {
		return 0, fmt.Errorf("opening the runtime image: %w", err)
	}
	defer func() { _ = f.Close() }()
	var size int64
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return 0, fmt.Errorf("reading the runtime image: %w", err)
		}
		if strings.HasSuffix(h.Name, ".tar.gz") {
			size += h.Size
		}
	}
}

// measure returns requests per second of the server's CPU time.
func (t target) measure(ctx context.Context, requests int) (float64, error) {
	before, err := t.process.cpu()
	if err != nil {
		return 0, err
	}
	if err := t.flood(ctx, requests, 16); err != nil {
		return 0, err
	}
	after, err := t.process.cpu()
	if err != nil {
		return 0, err
	}
	return float64(requests) / (after - before).Seconds(), nil
}
