package story

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a steady stream of runs, each on its own connection, while something changes.
// It is bounded: 20 a second, until it is stopped.
type Load struct {
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	mu       sync.Mutex
	sent     int
	failures []string
}

// loadClients is how many clients take turns in a load: as many as requests a second,
// so that each stays within its limit and every request has to pass, shared limits or
// not.
const loadClients = 20

func loadClient(i int) string { return fmt.Sprintf("load-%d", i) }

// StartLoad runs a workflow: authenticated, counted, validated.
func (e *Env) StartLoad(ctx context.Context) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel}
	ticks := time.NewTicker(time.Second / loadClients)
	var turn atomic.Int64
	for range 4 {
		l.wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticks.C:
					// A request under way when the load stops is finished.
					client := loadClient(int(turn.Add(1) % loadClients))
					a, err := e.do(context.WithoutCancel(ctx), http.MethodPost, echoPath, client, echoBody)
					l.record(a, err)
				}
			}
		})
	}
	context.AfterFunc(ctx, ticks.Stop)
	return l
}

func (l *Load) record(a Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	switch {
	case err != nil:
		l.failures = append(l.failures, err.Error())
	case a.Status != http.StatusOK:
		l.failures = append(l.failures, fmt.Sprintf("status %d: %s", a.Status, tail(string(a.body), 200)))
	}
}

// Stop ends the load and returns how many requests were sent; an error names those
// that failed.
func (l *Load) Stop() (int, error) {
	l.cancel()
	l.wg.Wait()
	if len(l.failures) > 0 {
		return l.sent, fmt.Errorf("%d of %d requests failed meanwhile, the first: %s", len(l.failures), l.sent, l.failures[0])
	}
	return l.sent, nil
}
