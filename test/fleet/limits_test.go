package fleet

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// tally is what became of some requests, and when they were decided at the earliest
// and at the latest.
type tally struct {
	mu                                       sync.Mutex
	status                                   map[int]int
	firstSent, firstDone, lastSent, lastDone time.Time
}

func (c *tally) add(sent, done time.Time, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == nil {
		c.status = map[int]int{}
		c.firstSent, c.firstDone = sent, done
	}
	c.status[status]++
	if sent.Before(c.firstSent) {
		c.firstSent = sent
	}
	if done.Before(c.firstDone) {
		c.firstDone = done
	}
	if sent.After(c.lastSent) {
		c.lastSent = sent
	}
	if done.After(c.lastDone) {
		c.lastDone = done
	}
}

// bucket is a limit.
type bucket struct{ perMinute, burst int }

// due is how many requests a full bucket lets through in a time.
func (b bucket) due(elapsed time.Duration) int {
	return int(math.Floor(float64(b.burst) + float64(b.perMinute)*elapsed.Minutes()))
}

// wantExact checks that a number of full buckets let through ⌊burst + rate × elapsed⌋
// each, ± 1. The time between the first and the last decision is not seen from outside,
// only that it lies between two others.
func (c *tally) wantExact(t *testing.T, what string, b bucket, buckets int) {
	t.Helper()
	least := buckets * (b.due(c.lastSent.Sub(c.firstDone)) - 1)
	most := buckets * (b.due(c.lastDone.Sub(c.firstSent)) + 1)
	t.Logf("%s: %v in %v, %d to %d are due", what, c.status, c.lastDone.Sub(c.firstSent).Round(time.Millisecond), least, most)
	if passed := c.status[200]; passed < least || passed > most {
		t.Errorf("%s: %d passed, want %d to %d", what, passed, least, most)
	}
}

// flood sends requests from many callers at once, spread evenly over the replicas: n in
// all, or for a while when n is 0.
func flood(t *testing.T, replicas []*replica, callers, n int, while time.Duration, key string) *tally {
	t.Helper()
	var c tally
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range callers {
		wg.Go(func() {
			<-begin
			ends := time.Now().Add(while)
			for j := i; n > 0 && j < n || n == 0 && time.Now().Before(ends); j += callers {
				sent := time.Now()
				status, err := replicas[j%len(replicas)].call(t.Context(), "X-API-Key", key)
				if err != nil {
					t.Error(err)
					return
				}
				c.add(sent, time.Now(), status)
			}
		})
	}
	close(begin)
	wg.Wait()
	return &c
}

const sharedSpec = `
  auth: {apiKeys: {secretRef: {name: keys}}}
  redis: {urlSecretRef: {name: redis, key: url}, caSecretRef: {name: redis, key: ca.crt}}
`

// shared is an app of three replicas with a Redis of its own.
type shared struct {
	t        *testing.T
	files    *files
	redis    *redistest.Server
	replicas []*replica
	clients  int
}

func startShared(t *testing.T, spec string, workflows ...string) *shared {
	t.Helper()
	s := &shared{t: t, files: newFiles(t), redis: redistest.Start(t, redistest.Options{TLS: true})}
	s.files.write("redis", "url", s.redis.URL(""))
	s.files.write("redis", "ca.crt", string(s.redis.CA()))
	s.files.key("first")
	s.clients = 1
	s.replicas = s.files.start(3, manifest("Production", sharedSpec+spec, workflows...))
	s.awaitRedis("1")
	return s
}

func (s *shared) awaitRedis(up string) {
	s.t.Helper()
	await(s.t, s.replicas, "nexus_redis_up", up)
}

// client is a new client, whose buckets are full, that every replica knows.
func (s *shared) client() string {
	s.t.Helper()
	s.clients++
	key := s.files.key(fmt.Sprint("client-", s.clients))
	await(s.t, s.replicas, "nexus_api_keys", fmt.Sprint(s.clients))
	return key
}

// withoutRedis is how many decisions were made without Redis so far.
func (s *shared) withoutRedis() string {
	s.t.Helper()
	var counts []string
	for _, r := range s.replicas {
		counts = append(counts, r.metric("nexus_rate_limit_store_errors_total"))
	}
	return strings.Join(counts, " ")
}

// wantShared has a new client send a flood and checks that what passes is exact. Redis
// has 50 ms for each decision: on a machine that is too busy for that, decisions are
// made without it, and the count begins again.
func (s *shared) wantShared(what string, limit bucket, callers, n int, while time.Duration) {
	s.t.Helper()
	const attempts = 5
	for range attempts {
		key, before := s.client(), s.withoutRedis()
		c := flood(s.t, s.replicas, callers, n, while, key)
		if s.withoutRedis() == before {
			c.wantExact(s.t, what, limit, 1)
			return
		}
		s.t.Logf("%s: Redis did not answer within 50 ms; counting again", what)
		s.awaitRedis("1")
	}
	s.t.Errorf("%s: Redis never kept up", what)
}

// TestExactOverReplicas: however the requests are spread, the replicas together let
// through what one bucket does.
func TestExactOverReplicas(t *testing.T) {
	s := startShared(t, "")
	s.wantShared("1,000 at once", bucket{100, 100}, 1000, 1000, 0)
	s.wantShared("for three seconds", bucket{100, 100}, 12, 0, 3*time.Second)
}

// TestRedisFaults: what passes before, during and after an outage, as docs/limits.md
// says. Each stretch has clients of its own, whose buckets are full at its beginning;
// another one sends all the while and sees no error that the mode does not ask for.
func TestRedisFaults(t *testing.T) {
	for _, mode := range []string{"Local", "Deny", "Allow"} {
		for fault, act := range map[string]struct{ begin, end func(*redistest.Server) }{
			"killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
			"hung":   {(*redistest.Server).Pause, (*redistest.Server).Resume},
		} {
			t.Run(mode+"/"+fault, func(t *testing.T) {
				limit := bucket{600, 20}
				s := startShared(t, `
  acknowledgedRisks: [{name: RateLimitDisabled, reason: "a test"}]
  rateLimit: {requestsPerMinute: 600, burst: 20, onStoreError: `+mode+`}
`)
				steady := s.client()
				var over atomic.Bool
				all := map[int]int{}
				var background sync.WaitGroup
				background.Go(func() {
					for i := 0; !over.Load(); i++ {
						status, err := s.replicas[i%len(s.replicas)].call(t.Context(), "X-API-Key", steady)
						if err != nil {
							t.Error(err)
							return
						}
						all[status]++
					}
				})
				s.wantShared("before", limit, 6, 0, time.Second)
				during := s.client()
				act.begin(s.redis)
				s.awaitRedis("0")
				wantWithout(t, mode, flood(t, s.replicas, 6, 0, time.Second, during), limit)
				act.end(s.redis)
				s.awaitRedis("1")
				s.wantShared("after", limit, 6, 0, time.Second)
				over.Store(true)
				background.Wait()
				for status := range all {
					if status != 200 && status != 429 && (status != 503 || mode != "Deny") {
						t.Errorf("all the while: %v", all)
					}
				}
			})
		}
	}
}

// wantWithout checks what passed without Redis.
func wantWithout(t *testing.T, mode string, c *tally, limit bucket) {
	t.Helper()
	only := map[string]int{"Deny": 503, "Allow": 200}[mode]
	switch {
	case mode == "Local":
		c.wantExact(t, "during", limit, 3)
	case len(c.status) != 1 || c.status[only] == 0:
		t.Errorf("during: %v, want nothing but %d", c.status, only)
	}
}

// TestStartsWithoutRedis: a replica comes to serve, limits by itself, and finds Redis
// once it is there.
func TestStartsWithoutRedis(t *testing.T) {
	s := &shared{t: t, files: newFiles(t), redis: redistest.Start(t, redistest.Options{TLS: true})}
	s.files.write("redis", "url", s.redis.URL(""))
	s.files.write("redis", "ca.crt", string(s.redis.CA()))
	alone := s.files.key("alone")
	s.clients = 1
	s.redis.Kill()
	s.replicas = s.files.start(2, manifest("Production", sharedSpec))
	flood(t, s.replicas, 4, 600, 0, alone).wantExact(t, "without Redis", bucket{100, 100}, 2)
	s.redis.Restart()
	s.awaitRedis("1")
	s.wantShared("with Redis", bucket{100, 100}, 4, 600, 0)
}
