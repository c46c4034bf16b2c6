package execution

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/test/redistest"
)

const (
	// ample is a deadline for what is not about deadlines.
	ample = 30 * time.Second
	// rules are what a user who may do no more than count limits has.
	rules = "~nexus:* resetchannels -@all +evalsha +eval +time +get +set +ping"
)

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
