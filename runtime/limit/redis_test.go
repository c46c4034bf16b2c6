package limit

import (
	"context"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// ample is a deadline for what is not about deadlines.
const ample = 20 * time.Second

// counting counts what is asked.
type counting struct {
	Scripts
	n atomic.Int64
}

func (c *counting) Script(ctx context.Context, s *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error) {
	c.n.Add(1)
	return c.Scripts.Script(ctx, s, keys, args)
}

// bucketKeys matches the keys of buckets, and not that of the probe.
const bucketKeys = "nexus:{????????????????????????????????}:*"

var apps atomic.Int64

// open is a store of an app of its own.
func open(s Scripts) *Redis {
	r := NewRedis(s, "team-a", fmt.Sprint("shop-", apps.Add(1)))
	r.deadlines.length = ample
	return r
}

// openAt is a store that goes by the times that are passed to it.
func openAt(s Scripts, start time.Time) *Redis {
	r := open(s)
	r.spent.start = start
	r.clock = func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }
	return r
}

func TestRedis(t *testing.T) {
	c := redisclient.Connect(t, redistest.Start(t, redistest.Options{}).URL(""))
	testStore(t, func(*testing.T) harness {
		now := time.Now().Truncate(time.Microsecond)
		var mu sync.Mutex
		return harness{
			Store:   openAt(c, now),
			now:     func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
			advance: func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) },
			steps:   1000,
		}
	})
}

// TestRedisReplicas: three pods, a thousand requests at once, and the clock of the
// server: what passes is exactly what the limit says.
func TestRedisReplicas(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	var stores []*Fallback
	for range 3 {
		shared := NewRedis(redisclient.Connect(t, server.URL("")), "team-a", "shop")
		shared.deadlines.length = ample
		stores = append(stores, NewFallback(shared, NewMemory(time.Now()), v1alpha1.StoreErrorLocal, func() { t.Error("not counted in Redis") }))
	}
	p := NewPolicy("app", 100, 100)
	var passed atomic.Int64
	var wg sync.WaitGroup
	before := serverTime(t, server)
	for i := range 1000 {
		wg.Go(func() {
			if v, err := stores[i%3].Take(t.Context(), time.Now(), alice, []*Policy{p}); err == nil && v.Allowed {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	elapsed := new(big.Int).SetInt64(serverTime(t, server) - before)
	due := elapsed.Mul(elapsed, big.NewInt(p.PerMinute)).Div(elapsed, big.NewInt(minute)).Int64() + p.Burst
	if n := passed.Load(); n < due-1 || n > due+1 {
		t.Errorf("%d passed, want %d", n, due)
	}
}

func serverTime(t *testing.T, s *redistest.Server) int64 {
	t.Helper()
	seconds, micros, _ := strings.Cut(s.Command("TIME"), "\n")
	a, errA := strconv.ParseInt(seconds, 10, 64)
	b, errB := strconv.ParseInt(micros, 10, 64)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	return a*1_000_000 + b
}

// TestRedisLearnsNothing: no subject, address or name is in any key or value, and no
// two callers share a key.
func TestRedisLearnsNothing(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	c := redisclient.Connect(t, server.URL(""))
	secrets := []string{"alice", "192.0.2.7", "c0000207", "team-a", "shop", "app", "workflow", "quote"}
	policies := []*Policy{NewPolicy("app", 60, 5), NewPolicy("workflow/quote", 60, 5)}
	callers := []Caller{
		{}, alice, bob, {Subject: "key|alic"}, {Subject: "key|alice", Addr: bob.Addr},
		{Addr: netip.MustParseAddr("::")}, {Addr: netip.MustParseAddr("2001:db8::")},
	}
	for _, app := range []string{"a", "b"} { // lengths are part of a key: team-a, shop is not team-as, hop
		for _, who := range callers {
			h := harness{Store: NewRedis(c, "team-"+app, "shop"), now: time.Now}
			h.take(t, who, policies...)
			h = harness{Store: NewRedis(c, "team-"+app+"s", "hop"), now: time.Now}
			h.take(t, who, policies...)
		}
	}
	keys := 0
	for key := range strings.SplitSeq(server.Command("KEYS", "*"), "\n") {
		if key == "nexus:{probe}" {
			continue
		}
		keys++
		value := server.Command("GET", key)
		if !regexp.MustCompile(`^nexus:\{[0-9a-f]{32}\}:[0-9a-f]{16}$`).MatchString(key) || !regexp.MustCompile(`^\d+:\d+:60$`).MatchString(value) {
			t.Errorf("%s has %s", key, value)
		}
		for _, s := range secrets {
			if strings.Contains(key+value, s) {
				t.Errorf("%s, %s holds %s", key, value, s)
			}
		}
	}
	if want := 2 * 2 * len(callers) * len(policies); keys != want {
		t.Errorf("there are %d keys, want %d", keys, want)
	}
}

// TestRedisValues: what the script makes of what it finds.
func TestRedisValues(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	c := redisclient.Connect(t, server.URL(""))
	const now = 1_800_000_000_000_000
	for _, x := range []struct {
		name, stored string
		rate, burst  int32
		want         instant // relative to now
	}{
		{name: "nothing", rate: 60, burst: 5},
		{name: "in the past", stored: "1700000000000000:0:60", rate: 60, burst: 5},
		{name: "the same limit", stored: "1800000001500000:3:7", rate: 7, burst: 5, want: instant{1_500_000, 3}},
		{name: "another rate", stored: "1800000001500000:0:60", rate: 100, burst: 5, want: instant{1_500_000, 0}},
		{name: "a fraction of another rate", stored: "1800000001500000:1:7", rate: 100, burst: 5, want: instant{1_500_001, 0}},
		{name: "more than the new burst", stored: "1800000060000000:0:60", rate: 60, burst: 5, want: instant{5_000_000, 0}},
		{name: "more than the new burst, with a fraction", stored: "1800000060000000:0:60", rate: 7, burst: 1, want: instant{minute / 7, minute % 7}},
		{name: "a clock that was set back", stored: "1900000000000000:0:60", rate: 60, burst: 5, want: instant{5_000_000, 0}},
		{name: "an impossible fraction", stored: "1800000001500000:99:60", rate: 60, burst: 5, want: instant{1_500_001, 0}},
		{name: "garbage", stored: "full", rate: 60, burst: 5},
		{name: "a negative number", stored: "-1:0:60", rate: 60, burst: 5},
		{name: "a number beyond all", stored: strings.Repeat("9", 400) + ":0:60", rate: 60, burst: 5, want: instant{5_000_000, 0}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.stored != "" {
				server.Command("SET", "nexus:{x}", x.stored)
			}
			p := NewPolicy("app", x.rate, x.burst)
			reply, err := c.Script(t.Context(), takeScript, []string{"nexus:{x}"}, []string{fmt.Sprint(now), p.rate, p.burst})
			if err != nil {
				t.Fatal(err)
			}
			var full [1]instant
			at, err := parse(&reply, full[:])
			if err != nil || at != now || full[0] != (instant{now + x.want.micros, x.want.frac}) {
				t.Errorf("at %d, full at %+v, %v; want %+v", at, full[0], err, x.want)
			}
			v := judge(at, []*Policy{p}, full[:])
			want := fmt.Sprintf("%d:%d:%d", full[0].micros, full[0].frac, p.PerMinute)
			if !v.Allowed {
				want = x.stored
			}
			if got := server.Command("GET", "nexus:{x}"); got != want {
				t.Errorf("%s is stored, want %s", got, want)
			}
			server.Command("DEL", "nexus:{x}")
		})
	}
}

// TestRedisKeysExpire: what is as good as none is not kept.
func TestRedisKeysExpire(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	h := harness{Store: open(redisclient.Connect(t, server.URL(""))), now: time.Now}
	h.take(t, alice, NewPolicy("app", 60, 30))
	h.take(t, alice, NewPolicy("app", 60, 30))
	for key := range strings.SplitSeq(server.Command("KEYS", bucketKeys), "\n") {
		ttl, err := strconv.Atoi(server.Command("PTTL", key))
		if err != nil || ttl <= 0 || ttl > 3000 {
			t.Errorf("%s expires in %d ms, %v", key, ttl, err)
		}
	}
}

// TestRedisIsNotAskedWhileSpent: refusing asks nobody, until it is time.
func TestRedisIsNotAskedWhileSpent(t *testing.T) {
	c := &counting{Scripts: redisclient.Connect(t, redistest.Start(t, redistest.Options{}).URL(""))}
	now := time.Now().Truncate(time.Microsecond)
	r := openAt(c, now)
	policies := []*Policy{NewPolicy("app", 6, 5), NewPolicy("workflow/x", 60, 3)}
	for range 3 {
		if v, err := r.Take(t.Context(), now, alice, policies); err != nil || !v.Allowed {
			t.Fatal(v, err)
		}
	}
	for i := range 1000 {
		v, err := r.Take(t.Context(), now, alice, policies)
		if want := time.Second - time.Duration(i)*time.Millisecond; err != nil || v.Allowed || v.RetryAfter != want || v.Violated != 2 || v.Tightest != 1 {
			t.Fatalf("%+v, %v; want %v", v, err, want)
		}
		now = now.Add(time.Millisecond)
	}
	if n := c.n.Load(); n != 3 {
		t.Errorf("Redis was asked %d times, want 3", n)
	}
	if v, err := r.Take(t.Context(), now, alice, policies); err != nil || !v.Allowed {
		t.Errorf("when it said: %+v, %v", v, err)
	}
}

func TestRedisRemembersNoMoreThanItsBound(t *testing.T) {
	now := time.Now()
	r := NewRedis(nil, "team-a", "shop")
	p := NewPolicy("app", 1, 1)
	for i := range 3 * maxSpent {
		r.remember(now, 0, address(i), []*Policy{p}, []instant{p.step})
	}
	total := 0
	for i := range r.spent.shards {
		total += len(r.spent.shards[i].buckets)
	}
	if total > maxSpent || total < maxSpent/2 {
		t.Errorf("%d spent buckets are remembered, want %d", total, maxSpent)
	}
}

func TestRedisScriptFlush(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	h := harness{Store: open(redisclient.Connect(t, server.URL(""))), now: time.Now}
	p := NewPolicy("app", 1, 20)
	for i := range 20 {
		if v := h.take(t, alice, p); !v.Allowed || v.Remaining != int64(19-i) {
			t.Errorf("request %d: %+v", i, v)
		}
		server.Command("SCRIPT", "FLUSH")
	}
}

// TestRedisCluster: the buckets of a caller are on one node, those of all on every one.
func TestRedisCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, redistest.Topology{})
	h := harness{Store: open(redisclient.Connect(t, cluster.URL(""))), now: time.Now}
	policies := []*Policy{NewPolicy("app", 1, 2), NewPolicy("workflow/x", 1, 1)}
	for i := range 100 {
		if v := h.take(t, address(i), policies...); !v.Allowed || v.Tightest != 1 {
			t.Errorf("caller %d: %+v", i, v)
		}
		if v := h.take(t, address(i), policies...); v.Allowed {
			t.Errorf("caller %d passed twice", i)
		}
	}
	for i, node := range cluster.Nodes {
		if keys := strings.Split(node.Command("KEYS", bucketKeys), "\n"); len(keys) < 2 {
			t.Errorf("node %d has %d keys", i, len(keys))
		}
	}
}

func TestRedisAllocations(t *testing.T) {
	r := NewRedis(nil, "team-a", "shop")
	policies := []*Policy{NewPolicy("app", 60, 5), NewPolicy("workflow/x", 60, 5)}
	c := &call{}
	if n := testing.AllocsPerRun(100, func() { c.keys = r.appendKeys(c, alice, policies) }); n > 1 {
		t.Errorf("%v allocations for the keys", n)
	}
	now := time.Now()
	r.remember(now, 0, alice, policies[:1], []instant{{micros: 5 * minute}})
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Take(t.Context(), now, alice, policies) }); n != 0 {
		t.Errorf("%v allocations for a refusal", n)
	}
}
