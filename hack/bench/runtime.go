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
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

// manifest is the app of the benchmark: one workflow of one task, a limit that is
// never reached for the served rows, and one of 1 a minute for the refused row.
const manifest = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: bench, namespace: bench}
spec:
  environment: Production
  replicas: 2
  acknowledgedRisks: [{name: PerPodLimits, reason: benchmark}]
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000, burst: 1000000, authFailuresPerMinute: 1000000}
  workflows:
  - name: bench
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: bench, version: 1.0.0}
      do:
      - reply: {set: {customer: "${ .customer }", items: "${ .items }"}}
  - name: spent
    rateLimit: {requestsPerMinute: 1}
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: spent, version: 1.0.0}
      do:
      - reply: {set: {customer: "${ .customer }"}}
`

// body is a request of 1 KiB such as shops send.
func body() string {
	var items []string
	for i := range 9 {
		items = append(items, fmt.Sprintf(`{"sku":"SKU-%04d-RED","quantity":%d,"unitPrice":%d.95,"note":"Gift wrap, please. Ring twice."}`, i, i+1, 10+i))
	}
	s := `{"inputs":{"customer":{"id":"c-20931","name":"Ada Lovelace","tier":"gold"},"items":[` + strings.Join(items, ",") + `]}}`
	return s
}

type servers struct {
	nexus, baseline           *process
	nexusAddr, adminAddr      string
	baselineAddr, key, folder string
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

func prepare(dir string) (key string, err error) {
	made, err := auth.NewKey()
	if err != nil {
		return "", err
	}
	entry := fmt.Sprintf(`{"id":%q,"sha256":%q,"roles":["buyer"]}`, made.ID, made.SHA256)
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "bench"), []byte(entry), 0o600); err != nil {
		return "", err
	}
	return made.Key, os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(manifest), 0o600)
}

func (s *servers) startNexus(ctx context.Context, o options, log *os.File) (time.Duration, error) {
	var err error
	if s.nexusAddr, err = freeAddress(); err != nil {
		return 0, err
	}
	if s.adminAddr, err = freeAddress(); err != nil {
		return 0, err
	}
	began := time.Now()
	s.nexus, err = start(ctx, log, []string{"GOMAXPROCS=1", "NEXUS_MEMORY_LIMIT_BYTES=536870912"}, o.nexus, "serve", "-f", filepath.Join(s.folder, "app.yaml"),
		"--secrets-dir", s.folder, "--api-addr", s.nexusAddr, "--admin-addr", s.adminAddr)
	if err != nil {
		return 0, err
	}
	return untilReady(ctx, "http://"+s.adminAddr+"/readyz", began)
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

// benchRuntime measures start-up, idle memory, image size and the policy path.
func benchRuntime(ctx context.Context, o options, log *os.File) ([]row, error) {
	dir, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s := &servers{folder: dir}
	if s.key, err = prepare(dir); err != nil {
		return nil, err
	}
	rows, err := s.benchStart(ctx, o, log)
	if err != nil {
		return nil, err
	}
	defer s.nexus.stop()
	if s.baselineAddr, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.baseline, err = start(ctx, log, []string{"GOMAXPROCS=1"}, o.baseline, "--addr", s.baselineAddr); err != nil {
		return nil, err
	}
	defer s.baseline.stop()
	if _, err := untilReady(ctx, "http://"+s.baselineAddr+"/health", time.Now()); err != nil {
		return nil, err
	}
	more, err := s.benchPolicyPath(ctx, o)
	return append(rows, more...), err
}

func (s *servers) benchStart(ctx context.Context, o options, log *os.File) ([]row, error) {
	var starts []time.Duration
	for i := range o.rounds * 2 {
		if i > 0 {
			s.nexus.stop()
		}
		took, err := s.startNexus(ctx, o, log)
		if err != nil {
			return nil, err
		}
		starts = append(starts, took)
	}
	now, _, err := s.nexus.memory()
	if err != nil {
		return nil, err
	}
	slices.Sort(starts)
	rows := []row{
		{"runtime: start to ready", fmt.Sprintf("%d ms (median of %d)", starts[len(starts)/2].Milliseconds(), len(starts)), "≤ 250 ms"},
		{"runtime: idle memory", fmt.Sprintf("%.1f MiB RSS", now), "≤ 40 MiB"},
	}
	size, err := imageSize(o.image)
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

// benchPolicyPath measures requests per CPU-second of each target, the targets taking
// turns so that a noisy neighbour hits all of them alike.
func (s *servers) benchPolicyPath(ctx context.Context, o options) ([]row, error) {
	keyHeader := "X-API-Key: " + s.key + "\r\n"
	payload := body()
	targets := []target{
		{"bare net/http", s.baselineAddr, request("/bare", s.baselineAddr, keyHeader, payload), "200", s.baseline},
		{"same-work handler", s.baselineAddr, request("/same-work", s.baselineAddr, keyHeader, payload), "200", s.baseline},
		{"policy path", s.nexusAddr, request("/workflows/bench/execute", s.nexusAddr, keyHeader, payload), "200", s.nexus},
		{"refusing 401", s.nexusAddr, request("/workflows/bench/execute", s.nexusAddr, "", payload), "401", s.nexus},
		{"refusing 429", s.nexusAddr, request("/workflows/spent/execute", s.nexusAddr, keyHeader, payload), "429", s.nexus},
	}
	rates := make([][]float64, len(targets))
	for round := range o.rounds + 1 {
		for i, t := range targets {
			if t.status == "429" {
				// The bucket may have filled since the last round, or may not: any answer will do.
				spend := t
				spend.status = ""
				if err := spend.flood(ctx, 1, 1); err != nil {
					return nil, err
				}
			}
			fmt.Fprintf(os.Stderr, "bench: round %d of %d: %s\n", round, o.rounds, t.name)
			rate, err := t.measure(ctx, o.requests)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first round warms up
				rates[i] = append(rates[i], rate)
			}
		}
	}
	ratio := func(i, base int) string {
		var ratios []float64
		for round := range rates[i] {
			ratios = append(ratios, 100*rates[i][round]/rates[base][round])
		}
		slices.Sort(ratios)
		return fmt.Sprintf("%.0f %% (%.0f–%.0f)", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
	absolute := func(i int) string {
		slices.Sort(rates[i])
		return fmt.Sprintf("%.0f requests per CPU-second", rates[i][len(rates[i])/2])
	}
	_, peak, err := s.nexus.memory()
	return []row{
		{"bare net/http, " + fmt.Sprint(len(payload)) + "-byte body", absolute(0), ""},
		{"same-work handler (encoding/json)", absolute(1), ""},
		{"policy path", absolute(2), ""},
		{"policy path against same-work handler", ratio(2, 1), "≥ 100 %"},
		{"policy path against bare net/http", ratio(2, 0), ""},
		{"refusing 401 against bare net/http", ratio(3, 0), "≥ 80 %"},
		{"refusing 429 against bare net/http", ratio(4, 0), "≥ 80 %"},
		{"runtime: peak memory under this load", fmt.Sprintf("%.1f MiB RSS", peak), ""},
	}, err
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
