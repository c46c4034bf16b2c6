package limit

import (
	"math/big"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// harness is a store under test and the clock that it goes by.
type harness struct {
	Store
	now     func() time.Time
	advance func(time.Duration)
	// steps is how far to go where more steps find more.
	steps int
}

func (h harness) take(t *testing.T, who Caller, policies ...*Policy) Verdict {
	t.Helper()
	v, err := h.Take(t.Context(), h.now(), who, policies)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMemory(t *testing.T) {
	testStore(t, func(*testing.T) harness {
		now := time.Now()
		var mu sync.Mutex
		return harness{
			Store:   NewMemory(now),
			now:     func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
			advance: func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) },
			steps:   20_000,
		}
	})
}

var alice, bob = Caller{Subject: "key|alice"}, Caller{Addr: netip.MustParseAddr("192.0.2.7")}

// testStore is what every Store has to do.
func testStore(t *testing.T, open func(*testing.T) harness) {
	t.Run("BurstThenRate", func(t *testing.T) { testBurstThenRate(t, open(t)) })
	t.Run("ExactOverTime", func(t *testing.T) { testExactOverTime(t, open) })
	t.Run("CallersAreApart", func(t *testing.T) { testCallersAreApart(t, open(t)) })
	t.Run("AllOrNothing", func(t *testing.T) { testAllOrNothing(t, open(t)) })
	t.Run("Tightest", func(t *testing.T) { testTightest(t, open(t)) })
	t.Run("Spent", func(t *testing.T) { testSpent(t, open(t)) })
	t.Run("Concurrent", func(t *testing.T) { testConcurrent(t, open(t)) })
}

func testBurstThenRate(t *testing.T, h harness) {
	p := NewPolicy("app", 60, 3)
	for i := range 3 {
		v := h.take(t, alice, p)
		if !v.Allowed || v.Remaining != int64(2-i) || v.Reset != time.Duration(i+1)*time.Second {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
	v := h.take(t, alice, p)
	if v.Allowed || v.RetryAfter != time.Second || v.Reset != time.Second || v.Remaining != 0 {
		t.Fatalf("a spent bucket: %+v", v)
	}
	if names := v.Names([]*Policy{p}); len(names) != 1 || names[0] != "app" {
		t.Fatalf("violated: %v", names)
	}
	h.advance(time.Second - time.Microsecond)
	if v := h.take(t, alice, p); v.Allowed || v.RetryAfter != time.Microsecond {
		t.Fatalf("a microsecond too early: %+v", v)
	}
	h.advance(time.Microsecond)
	if v := h.take(t, alice, p); !v.Allowed || v.Remaining != 0 {
		t.Fatalf("when it said: %+v", v)
	}
	h.advance(time.Hour)
	if v := h.take(t, alice, p); !v.Allowed || v.Remaining != 2 {
		t.Fatalf("a pause fills the bucket, and no more than that: %+v", v)
	}
}

// testExactOverTime compares what passes with floor(burst + rate * elapsed), for rates
// that no whole number of microseconds expresses too.
func testExactOverTime(t *testing.T, open func(*testing.T) harness) {
	for _, rate := range []int32{1, 7, 100, 59_999, 700_000, 999_999, 1_000_000} {
		h, p := open(t), NewPolicy("app", rate, 50)
		random := rand.New(rand.NewPCG(uint64(rate), 1))
		var passed, elapsed int64
		for range h.steps {
			// Between none and about two requests' time, so that the bucket stays spent.
			d := random.Int64N(2*minute/int64(rate) + 2)
			for h.take(t, alice, p).Allowed {
				passed++
			}
			h.advance(time.Duration(d) * time.Microsecond)
			elapsed += d
		}
		for h.take(t, alice, p).Allowed {
			passed++
		}
		due := new(big.Int).Mul(big.NewInt(elapsed), big.NewInt(int64(rate)))
		due.Div(due, big.NewInt(minute))
		if want := due.Int64() + p.Burst; passed != want {
			t.Errorf("%d a minute: %d passed in %d µs, want %d", rate, passed, elapsed, want)
		}
	}
}

func testCallersAreApart(t *testing.T, h harness) {
	p, other := NewPolicy("app", 1, 1), NewPolicy("other", 1, 1)
	for _, who := range []Caller{alice, bob, {}} {
		if !h.take(t, who, p).Allowed || h.take(t, who, p).Allowed {
			t.Errorf("%+v has no bucket of its own", who)
		}
		if !h.take(t, who, other).Allowed {
			t.Errorf("%+v: policies share a bucket", who)
		}
	}
}

func testAllOrNothing(t *testing.T, h harness) {
	wide, narrow := NewPolicy("wide", 60, 10), NewPolicy("narrow", 6, 1)
	if v := h.take(t, alice, wide, narrow); !v.Allowed {
		t.Fatalf("the first: %+v", v)
	}
	for range 20 {
		v := h.take(t, alice, wide, narrow)
		if v.Allowed || v.RetryAfter != 10*time.Second {
			t.Fatalf("narrow is spent: %+v", v)
		}
		if names := v.Names([]*Policy{wide, narrow}); len(names) != 1 || names[0] != "narrow" {
			t.Fatalf("violated: %v", names)
		}
	}
	if v := h.take(t, alice, wide); !v.Allowed || v.Remaining != 8 {
		t.Fatalf("refusals by narrow consumed from wide: %+v", v)
	}
	for h.take(t, alice, wide).Allowed {
	}
	v := h.take(t, alice, narrow, wide)
	if names := v.Names([]*Policy{narrow, wide}); len(names) != 2 || v.RetryAfter != 10*time.Second || v.Tightest != 0 {
		t.Fatalf("both are spent: %+v %v", v, names)
	}
}

func testTightest(t *testing.T, h harness) {
	wide, narrow := NewPolicy("wide", 60, 60), NewPolicy("narrow", 60, 2)
	if v := h.take(t, alice, wide, narrow); v.Tightest != 1 || v.Remaining != 1 || v.Reset != time.Second {
		t.Errorf("the second policy is tighter: %+v", v)
	}
	if v := h.take(t, bob, narrow, wide); v.Tightest != 0 || v.Remaining != 1 {
		t.Errorf("the first policy is tighter: %+v", v)
	}
}

func testSpent(t *testing.T, h harness) {
	p, other := NewPolicy("app", 60, 2), NewPolicy("other", 60, 5)
	for i, spent := range []bool{false, false, true} {
		for range 3 { // looking consumes nothing
			if h.Spent(h.now(), alice, p) != spent {
				t.Errorf("after %d of 2 requests, spent is %v", i, !spent)
			}
		}
		h.take(t, alice, p, other)
	}
	if h.Spent(h.now(), alice, other) || h.Spent(h.now(), bob, p) {
		t.Error("a bucket is spent because another one is")
	}
	h.advance(time.Second - time.Microsecond)
	if !h.Spent(h.now(), alice, p) {
		t.Error("it is not spent, a microsecond too early")
	}
	h.advance(time.Microsecond)
	if h.Spent(h.now(), alice, p) || !h.take(t, alice, p).Allowed {
		t.Error("it is spent although one request is allowed again")
	}
}

func testConcurrent(t *testing.T, h harness) {
	a, b := NewPolicy("a", 1, 500), NewPolicy("b", 1, 400)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if v, err := h.Take(t.Context(), h.now(), alice, []*Policy{a, b}); err == nil && v.Allowed {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != 400 {
		t.Errorf("%d passed, want 400", passed.Load())
	}
	if v := h.take(t, alice, a); v.Remaining != 99 {
		t.Errorf("a has %d left, want 99", v.Remaining)
	}
}
