package execution

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

const (
	// ample is a deadline for what is not about deadlines.
	ample = 30 * time.Second
	// rules are what a user who may do no more than count limits has.
	rules = "~nexus:* resetchannels -@all +evalsha +eval +time +get +set +ping"
)

// client is a Redis client that is up, and tells when it is not.
type client struct {
	*redis.Client
	news chan redis.Health
}

func connect(tb testing.TB, url string) client {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "redis"), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "redis", "url"), []byte(url), 0o600); err != nil {
		tb.Fatal(err)
	}
	c := client{news: make(chan redis.Health, 1000)}
	var err error
	c.Client, err = redis.Open(redis.Options{
		SecretsDir: dir, URL: v1alpha1.SecretKeyReference{Name: "redis", Key: "url"},
		Notify: func(h redis.Health) { c.news <- h },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	tb.Cleanup(func() { cancel(); <-done })
	c.await(tb, true)
	return c
}

func (c client) await(tb testing.TB, up bool) {
	tb.Helper()
	timeout := time.After(ample)
	for {
		select {
		case h := <-c.news:
			if h.Up == up {
				return
			}
		case <-timeout:
			tb.Fatalf("up does not become %v: %+v", up, c.Health())
		}
	}
}

var apps atomic.Int64

// pods are stores of one app on one Redis, and their clock.
type pods struct {
	server *redistest.Server
	app    string
	mu     sync.Mutex
	now    time.Time
}

func newPods(server *redistest.Server) *pods {
	return &pods{server: server, app: fmt.Sprint("shop-", apps.Add(1)), now: time.Now().Truncate(time.Millisecond)}
}

// open is the store of another pod.
func (p *pods) open(s Scripts) *Redis {
	r := NewRedis(s, "team-a", p.app, newID(), retention)
	r.patience = ample
	r.clock = func() string { return strconv.FormatInt(p.time().UnixMilli(), 10) }
	return r
}

func (p *pods) time() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.now }

// advance has time pass, also for the lifetimes of keys.
func (p *pods) advance(d time.Duration) {
	p.server.Command("EVAL", `for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key) - ARGV[1]
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end`, "0", strconv.FormatInt(d.Milliseconds(), 10))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *pods) harness(r *Redis) harness {
	return harness{Store: r, advance: p.advance, bound: func(n int) { r.bound = n }}
}

// confined fails the test when a script has a key of another slot, or of somebody else.
type confined struct {
	Scripts
	t testing.TB
}

func (c confined) Script(ctx context.Context, s *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error) {
	for _, key := range keys {
		tag, _, ok := strings.Cut(key, "}:")
		if first, _, _ := strings.Cut(keys[0], "}:"); !ok || tag != first || !strings.HasPrefix(key, "nexus:{") {
			c.t.Errorf("a script has the keys %v", keys)
		}
	}
	return c.Scripts.Script(ctx, s, keys, args)
}
