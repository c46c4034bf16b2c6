package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
)

const (
	// waitingClients start waitingEach runs each: no client may have more under way.
	waitingClients = 10
	waitingEach    = 1000
)

// benchTwoTasks measures the CPU time that a workflow of two tasks adds to a call: that of
// its calls, less that of calls of a workflow that does next to nothing.
func (s *servers) benchTwoTasks(ctx context.Context) ([]row, error) {
	idle, busy := s.workflowTargets()
	var added, policy []float64
	for round := range s.rounds + 1 {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d: a workflow of two tasks\n", round, s.rounds)
		without, err := idle.measure(ctx, s.requests)
		if err != nil {
			return nil, err
		}
		with, err := busy.measure(ctx, s.requests)
		if err != nil {
			return nil, err
		}
		if round > 0 {
			policy, added = append(policy, 1e6/without), append(added, 1e6/with-1e6/without)
		}
	}
	slices.Sort(added)
	slices.Sort(policy)
	return []row{
		{"a call of a workflow that does next to nothing", fmt.Sprintf("%.1f µs CPU", policy[len(policy)/2]), ""},
		{"a workflow of two tasks adds", fmt.Sprintf("%.1f µs CPU (%.1f–%.1f)", added[len(added)/2], added[0], added[len(added)-1]), "≤ 25 µs"},
	}, nil
}

// benchWaiting starts runs that wait, and measures what each of them costs the pod.
func (s *servers) benchWaiting(ctx context.Context) ([]row, error) {
	const runs = waitingClients * waitingEach
	fmt.Fprintf(os.Stderr, "bench: starting %d runs that wait\n", runs)
	n := s.nexus["waiting"]
	before, _, err := n.process.memory()
	if err != nil {
		return nil, err
	}
	var clients sync.WaitGroup
	failed := make(chan error, len(s.waitingKeys))
	for _, key := range s.waitingKeys {
		clients.Go(func() {
			for range waitingEach {
				if err := startRun(ctx, n.address, key); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	clients.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	after, _, err := n.process.memory()
	if err != nil {
		return nil, err
	}
	return []row{{fmt.Sprintf("%d waiting runs", runs), fmt.Sprintf("%.1f KiB RSS each", (after-before)*1024/runs), "≤ 20 KiB"}}, nil
}

// startRun starts a run that waits.
func startRun(ctx context.Context, address, key string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/workflows/wait/execute", strings.NewReader(`{"mode":"async"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("starting a run that waits: %s", res.Status)
	}
	return nil
}
