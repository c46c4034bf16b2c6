// Package redis is the pod's connection to the Redis that the replicas of an app share.
// It connects in the background, so that nothing waits for Redis at start, follows the
// files that say how Redis is reached, and refuses at once while Redis is of no use.
//
// The ACL user needs at least
//
//	~nexus:* +evalsha +eval +time +get +set +ping
//
// and besides +select with a database other than 0, +role behind Sentinels, and
// +cluster|slots +cluster|shards in a cluster. The user of the Sentinels needs
//
//	&* +sentinel|sentinels +sentinel|get-master-addr-by-name +subscribe +unsubscribe +psubscribe +punsubscribe +ping
package redis

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

const (
	// interval is how often Redis is asked how it is, and how often a connection that
	// could not be made is tried again.
	interval = time.Second
	// impatience is how long a question may take while requests are sent: they may have
	// to wait for the connection that the question makes.
	impatience = 50 * time.Millisecond
	// inFlight bounds the calls at once. One that was given up keeps the driver's room until
	// it is answered or the connection is given up too. So there is room for as often as it
	// takes to open the breaker, and once more.
	inFlight = 1 << ringScale / (threshold + 1)
)

// ErrUnavailable is what calls get while Redis is not to be asked.
var ErrUnavailable = errors.New("redis: unavailable")

// Options say how Redis is reached.
type Options struct {
	// SecretsDir holds a directory for each Secret, with a file for each entry.
	SecretsDir string
	// URL is spec.redis.urlSecretRef, CA spec.redis.caSecretRef.
	URL v1alpha1.SecretKeyReference
	CA  *v1alpha1.SecretKeyReference
	// Roots are the authorities that are trusted without a CA; nil for those of the
	// system. They are asked for at each connection.
	Roots func() *x509.CertPool
	// Notify is told of each change, one at a time, and returns soon; nil for nobody.
	Notify func(Health)
}

// Health says how Redis is.
type Health struct {
	// Up says whether Redis is asked at all.
	Up bool
	// Since is when Up last changed.
	Since time.Time
	// Problem is the kind of error because of which it is not up: a word, which never
	// holds an address or a credential.
	Problem string
	// Stale is the kind of error because of which the present content of the files is
	// not in use and a former one is; empty when it is.
	Stale string
	// Taken is when the settings in use took over; zero before the first ones did.
	Taken time.Time
	// Form is Standalone, Sentinel or Cluster.
	Form string
}

// Counters count since the start.
type Counters struct {
	// Calls were sent, Failures of them had no answer or one that says that Redis cannot
	// be used, and Shed were refused without being sent.
	Calls, Failures, Shed uint64
}

// Client calls Redis. It is safe for concurrent use.
type Client struct {
	options Options
	// wanted is what the files said last when it could be used; changed tells that it
	// changed.
	wanted  atomic.Pointer[settings]
	changed chan struct{}
	// current is the link in use: nil before the first and after the last.
	current atomic.Pointer[link]
	// places are taken by calls, and given back by leave.
	places                chan struct{}
	leave                 func()
	calls, failures, shed atomic.Uint64

	mu     sync.Mutex // of what is published: it keeps changes in order
	health atomic.Pointer[Health]
}

// Open reads the files. It is an error when they are missing or say nothing useful;
// whether Redis can be reached is found out by Run.
func Open(o Options) (*Client, error) {
	c := &Client{options: o, changed: make(chan struct{}, 1), places: make(chan struct{}, inFlight)}
	c.leave = func() { <-c.places }
	wanted, err := c.read()
	if err != nil {
		return nil, err
	}
	c.wanted.Store(wanted)
	c.health.Store(&Health{Since: time.Now(), Problem: string(Connecting), Form: string(wanted.url.Form)})
	return c, nil
}

// Health says how Redis is now.
func (c *Client) Health() Health { return *c.health.Load() }

// Counters returns the counters.
func (c *Client) Counters() Counters {
	return Counters{Calls: c.calls.Load(), Failures: c.failures.Load(), Shed: c.shed.Load()}
}

// Run connects, keeps connected and follows the files until the context ends. Calls are
// refused before and afterwards.
func (c *Client) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { mounted.Follow(ctx, c.look, c.dirs()...) })
	running.Go(func() { c.connect(ctx) })
	every(ctx, nil, func() { c.probe(ctx) })
	running.Wait()
	if last := c.current.Swap(nil); last != nil {
		last.end()
	}
}

// every calls do at once, every interval and when it is woken, until the context ends.
func every(ctx context.Context, wake <-chan struct{}, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-wake:
		case <-tick.C:
		}
	}
}

// connect makes a link of what the files say, which takes over once it works. The old
// one is in use until then, and closed when its calls are done.
func (c *Client) connect(ctx context.Context) {
	var using *settings
	every(ctx, c.changed, func() {
		wanted := c.wanted.Load()
		if wanted == using {
			return
		}
		next, err := newLink(ctx, wanted, c.options.Roots)
		if err != nil {
			if ctx.Err() == nil {
				c.blame(problemOf(err))
			}
			return
		}
		using = wanted
		old := c.current.Swap(next)
		c.publish(func(h *Health) {
			*h = Health{Up: true, Since: h.Since, Taken: time.Now(), Form: string(wanted.url.Form)}
		})
		if old != nil {
			old.end()
		}
	})
}

// probe asks Redis how it is, with what the calls need: a script that reads and writes.
func (c *Client) probe(ctx context.Context) {
	l := c.current.Load()
	if l == nil {
		return
	}
	patience := impatience
	if l.breaker.open() {
		patience = interval
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if l.inUse.TryRLock() { // else it has a successor
		_, _ = c.exec(ctx, l, probe, l.probeKey(), nil, func() {})
		l.inUse.RUnlock()
	}
}

// Script runs a script. Its keys begin with nexus: and, in a cluster, share a hash tag.
// The context must have a deadline, and should end by nothing else: calls that are given
// up earlier do not open the breaker, and too many of them leave a server that hangs no
// room in which the next one could keep its deadline. An error means that Redis is of no
// use now; its text holds no address and no credential. That a script answers nil is none.
func (c *Client) Script(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error) {
	l := c.enter(ctx)
	if l == nil {
		c.shed.Add(1)
		return rueidis.RedisMessage{}, ErrUnavailable
	}
	defer l.inUse.RUnlock()
	return c.exec(ctx, l, script, keys, args, c.leave)
}

// enter takes a place among the calls in flight and returns the link to use, or nil when
// Redis is not to be asked.
func (c *Client) enter(ctx context.Context) *link {
	if l := c.current.Load(); l == nil || l.breaker.open() {
		return nil
	}
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	for {
		l := c.current.Load()
		if l == nil || l.breaker.open() {
			c.leave()
			return nil
		}
		if l.inUse.TryRLock() {
			return l
		} // else it has just been retired, and there is another one
	}
}

// exec runs a script, as ask does, and lets the breaker know how that went.
func (c *Client) exec(ctx context.Context, l *link, script *rueidis.Lua, keys, args []string, done func()) (rueidis.RedisMessage, error) {
	c.calls.Add(1)
	began := l.breaker.begin()
	answer, err := l.ask(ctx, script, keys, args, done)
	switch {
	case err == nil, rueidis.IsRedisNil(err):
		if l.breaker.succeeded() {
			c.switched(l, "")
		}
		return answer, nil
	case errors.Is(err, context.Canceled): // the caller gave up, which says nothing of Redis
		return answer, context.Canceled
	}
	problem := problemOf(err)
	c.failures.Add(1)
	if l.breaker.failed(began) {
		c.switched(l, problem)
	}
	return answer, problem
}

// switched publishes what a link's breaker says now. Of a link that is in use no longer
// nobody wants to know.
func (c *Client) switched(l *link, problem Problem) {
	c.publish(func(h *Health) {
		if c.current.Load() != l {
			return
		}
		h.Up, h.Problem = !l.breaker.open(), string(problem)
		if h.Up {
			h.Problem = ""
		}
	})
}

// blame says why a link could not be made. How the one in use is, if there is one, is not
// affected.
func (c *Client) blame(p Problem) {
	c.publish(func(h *Health) {
		if c.current.Load() == nil {
			h.Problem = string(p)
		} else {
			h.Stale = string(p)
		}
	})
}

func (c *Client) publish(change func(*Health)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.health.Load()
	now := *before
	change(&now)
	if now == *before {
		return
	}
	if now.Up != before.Up {
		now.Since = time.Now()
	}
	c.health.Store(&now)
	if c.options.Notify != nil {
		c.options.Notify(now)
	}
}
