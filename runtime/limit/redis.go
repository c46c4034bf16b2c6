package limit

import (
	"context"
	"crypto/sha256"
	_ "embed" // the script
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// callDeadline is how long a request waits for Redis at most.
	callDeadline = 50 * time.Millisecond
	// maxSpent bounds the spent buckets that are remembered: about 10 MiB.
	maxSpent = 64 << 10
)

// Scripts runs Lua scripts on the Redis that the replicas share.
type Scripts interface {
	Script(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error)
}

//go:embed take.lua
var takeSource string

var takeScript = rueidis.NewLuaScript(takeSource)

// Redis is the Store that all replicas of an app share. It counts by the clock of the
// server, with the same arithmetic as Memory, and remembers which buckets are spent, so
// that refusing asks nobody. It is safe for concurrent use.
type Redis struct {
	scripts Scripts
	// owner is the namespace and the app as they are hashed into each key.
	owner []byte
	// spent has the buckets that refuse, on the clock of this pod.
	spent     *Memory
	deadlines deadlines
	calls     sync.Pool // of *call
	// clock is what the script goes by: empty for the clock of the server. Tests set it.
	clock func(time.Time) string
}

// NewRedis returns the store of an app. Times passed to Take may not be before now.
func NewRedis(scripts Scripts, namespace, app string) *Redis {
	r := &Redis{
		scripts: scripts, owner: appendPrefixed(appendPrefixed(nil, namespace), app),
		spent: NewMemory(time.Now()), deadlines: deadlines{length: callDeadline},
		clock: func(time.Time) string { return "" },
	}
	r.spent.bound = maxSpent / shards
	r.calls.New = func() any { return &call{} }
	return r
}

// call is what is needed to make one call, kept for the next one.
type call struct {
	text       []byte
	keys, args []string
}

// Take implements Store. An error means that nothing is known of the buckets; its text
// holds no address and no credential.
func (r *Redis) Take(_ context.Context, at time.Time, who Caller, policies []*Policy) (Verdict, error) {
	if v := r.spent.look(at, who, policies); !v.Allowed {
		return v, nil
	}
	c := r.calls.Get().(*call)
	defer r.calls.Put(c)
	c.keys = r.appendKeys(c, who, policies)
	c.args = append(c.args[:0], r.clock(at))
	for _, p := range policies {
		c.args = append(c.args, p.rate, p.burst)
	}
	reply, err := r.scripts.Script(r.deadlines.context(), takeScript, c.keys, c.args) //nolint:contextcheck // whether the caller still waits does not matter: what was sent is counted
	if err != nil {
		return Verdict{}, err
	}
	var space [maxPolicies]instant
	full := space[:len(policies)]
	now, err := parse(&reply, full)
	if err != nil {
		return Verdict{}, err
	}
	v := judge(now, policies, full)
	r.remember(at, now, who, policies, full)
	return v, nil
}

// Spent implements Store. Only what Redis said last is known.
func (r *Redis) Spent(at time.Time, who Caller, policy *Policy) bool {
	return r.spent.Spent(at, who, policy)
}

// remember keeps the buckets that would refuse the next request, until they do not. The
// time in between is measured from before Redis was asked, so that it is never too long.
func (r *Redis) remember(at time.Time, now int64, who Caller, policies []*Policy, full []instant) {
	for i, p := range policies {
		if _, wait := p.attempt(full[i], now); wait > 0 {
			full[i].micros += r.spent.micros(at) - now
			r.spent.set(at, who, p, full[i])
		}
	}
}

// parse reads the script's reply: the time, and when each bucket was full.
func parse(reply *rueidis.RedisMessage, full []instant) (now int64, err error) {
	values, err := reply.ToArray()
	if err != nil || len(values) != 1+2*len(full) {
		return 0, errors.New("redis: the script's reply is none")
	}
	number := func(i int) int64 {
		n, numberErr := values[i].ToInt64()
		err = errors.Join(err, numberErr)
		return n
	}
	now = number(0)
	for i := range full {
		full[i] = instant{number(2*i + 1), number(2*i + 2)}
	}
	return now, err
}

// appendKeys makes the keys of a caller's buckets, nexus:{CALLER}:POLICY. Both parts are
// hashes, so that Redis learns nothing of who calls what; the hash tag in braces keeps
// the buckets of a caller on one node of a cluster.
func (r *Redis) appendKeys(c *call, who Caller, policies []*Policy) []string {
	const prefix, suffix = "nexus:{", "}:"
	var space [256]byte
	var bytes [16]byte
	owner := appendPrefixed(append(space[:0], r.owner...), who.Subject)
	address, _ := who.Addr.AppendBinary(bytes[:0]) // it never fails
	hash := sha256.Sum256(appendPrefixed(owner, address))

	c.text = c.text[:0]
	for _, p := range policies {
		c.text = append(c.text, prefix...)
		c.text = hex.AppendEncode(c.text, hash[:16])
		c.text = append(c.text, suffix...)
		c.text = append(c.text, p.id...)
	}
	text, keys := string(c.text), c.keys[:0]
	for _, p := range policies {
		length := len(prefix) + 32 + len(suffix) + len(p.id)
		keys = append(keys, text[:length])
		text = text[length:]
	}
	return keys
}

// appendPrefixed appends a text and before it its length, so that no two lists of texts
// come out the same.
func appendPrefixed[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
