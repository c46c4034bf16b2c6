package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// The targets that others are compared with, by their places in the list.
const (
	bareKey = iota
	bareToken
	sameWork
)

// targets are what is measured.
func (s *servers) targets() []target {
	payload, local, shared, flooded := body(), s.nexus["local"], s.nexus["shared"], s.nexus["flooded"]
	header := func(credential string) string { return "Authorization: Bearer " + credential + "\r\n" }
	at := func(n *server, path string, credentials ...string) []string {
		var out []string
		for _, c := range credentials {
			out = append(out, request(path, n.address, header(c), payload))
		}
		return out
	}
	token := s.signer.Sign(tokens.Claims(s.issuer.URL, "bench", "ada", time.Now()))
	// A bucket that is spent lets one request through each minute.
	ok, spent, refused, flood := []string{"200"}, []string{"429", "200"}, []string{"401"}, []string{"401", "429"}
	const bench = "/workflows/bench/execute"
	return []target{
		{"bare net/http", s.baseline.address, at(s.baseline, "/bare", s.key), ok, s.baseline.process},
		{"bare net/http, sent a token", s.baseline.address, at(s.baseline, "/bare", token), ok, s.baseline.process},
		{"same-work handler", s.baseline.address, at(s.baseline, "/same-work", s.key), ok, s.baseline.process},
		{"API key, limit of the pod", local.address, at(local, bench, s.key), ok, local.process},
		{"token, limit of the pod", local.address, at(local, bench, token), ok, local.process},
		{"API key, limit in Redis", shared.address, at(shared, bench, s.key), ok, shared.process},
		{"429, limit of the pod", local.address, at(local, "/workflows/spent/execute", s.key), spent, local.process},
		{"429, limit in Redis", shared.address, at(shared, "/workflows/spent/execute", s.key), spent, shared.process},
		{"401, no credential", local.address, []string{request(bench, local.address, "", payload)}, refused, local.process},
		{"401, unknown API keys", local.address, at(local, bench, s.badKeys()...), refused, local.process},
		{"401, tokens with unknown key ids", local.address, at(local, bench, s.badTokens("kid-")...), refused, local.process},
		{"flood of forged tokens from one address", flooded.address, at(flooded, bench, s.badTokens("")...), flood, flooded.process},
	}
}

// workflowTargets are the same call of a workflow that does next to nothing, and of one
// with two tasks that compute.
func (s *servers) workflowTargets() (idle, busy target) {
	local, payload := s.nexus["local"], body()
	of := func(name string) target {
		path := "/workflows/" + name + "/execute"
		return target{name, local.address, []string{request(path, local.address, "Authorization: Bearer "+s.key+"\r\n", payload)}, []string{"200"}, local.process}
	}
	return of("idle"), of("two-tasks")
}

// comparisons are what each of the other targets is compared with, in their order: what
// serves with the same work, what refuses with a handler that does nothing at all and is
// sent the same bytes.
var comparisons = []struct {
	base int
	bar  string
}{
	{sameWork, "≥ 100 %"}, {sameWork, "≥ 90 %"}, {sameWork, "≥ 60 %"},
	{bareKey, "≥ 80 %"}, {bareKey, "≥ 80 %"}, {bareKey, "≥ 80 %"}, {bareKey, "≥ 80 %"}, {bareToken, "≥ 80 %"}, {bareToken, "≥ 80 %"},
}

// variants is how many different credentials a flood is made of.
const variants = 256

func (s *servers) badKeys() []string {
	var out []string
	for i := range variants {
		out = append(out, fmt.Sprintf("%s%04d", s.key[:len(s.key)-4], i))
	}
	return out
}

// badTokens are tokens by a key of somebody else: with ids that begin like this, or with
// that of the issuer's key, so that each costs the check of a signature.
func (s *servers) badTokens(kid string) []string {
	stranger := tokens.NewRSA(s.signer.KID)
	var out []string
	for i := range variants {
		signer := stranger
		if kid != "" {
			signer = stranger.Named(fmt.Sprint(kid, i))
		}
		out = append(out, signer.Sign(tokens.Claims(s.issuer.URL, "bench", fmt.Sprint("mallory-", i), time.Now())))
	}
	return out
}

// benchPolicyPath measures requests per CPU-second of each target right after those of
// what it is compared with, so that a noisy neighbour hits both alike.
func (s *servers) benchPolicyPath(ctx context.Context) ([]row, error) {
	targets := s.targets()
	fetched, began := s.issuer.Fetches(), time.Now()
	bases, ratios := make([][]float64, sameWork+1), make([][]float64, len(comparisons))
	for round := range s.rounds + 1 {
		for i, c := range comparisons {
			t := targets[sameWork+1+i]
			fmt.Fprintf(os.Stderr, "bench: round %d of %d: %s\n", round, s.rounds, t.name)
			base, err := targets[c.base].measure(ctx, s.requests)
			if err != nil {
				return nil, err
			}
			rate, err := t.measure(ctx, s.requests)
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first round warms up
				bases[c.base] = append(bases[c.base], base)
				ratios[i] = append(ratios[i], 100*rate/base)
			}
		}
	}
	rows := []row{
		{"bare net/http, " + fmt.Sprint(len(body())) + "-byte body", absolute(bases[bareKey]), ""},
		{"same-work handler (encoding/json)", absolute(bases[sameWork]), ""},
	}
	for i, c := range comparisons {
		rows = append(rows, row{targets[sameWork+1+i].name + ", against " + targets[c.base].name, spread(ratios[i]), c.bar})
	}
	rows = append(rows, row{"fetches of an issuer's keys meanwhile, by each of the pods at the most",
		fmt.Sprintf("%d in %.0f s, by %d pods", s.issuer.Fetches()-fetched, time.Since(began).Seconds(), len(s.nexus)), "≤ 1 per 10 s"})
	_, peak, err := s.nexus["local"].process.memory()
	return append(rows, row{"runtime: peak memory under this load", fmt.Sprintf("%.1f MiB RSS", peak), ""}), err
}

// spread is the median of percentages, and the least and the most of them.
func spread(percent []float64) string {
	sorted := slices.Sorted(slices.Values(percent))
	return fmt.Sprintf("%.0f %% (%.0f–%.0f)", sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1])
}

func absolute(rates []float64) string {
	sorted := slices.Sorted(slices.Values(rates))
	return fmt.Sprintf("%.0f requests per CPU-second", sorted[len(sorted)/2])
}

// untilMetric polls the metrics of a pod until they hold a line.
func untilMetric(ctx context.Context, admin, line string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := get(ctx, "http://"+admin+"/metrics"); err == nil && strings.Contains(text, "\n"+line+"\n") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s never said %s", admin, line)
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return string(raw), err
}
