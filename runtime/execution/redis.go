package execution

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience is how long Redis is waited for.
	patience = time.Second
	// lease is how long after its last beat a pod counts as alive.
	lease = 15 * time.Second
	// beatAtOnce is how many executions one script looks at.
	beatAtOnce = 256
	// bulky is how many answers that may be large are under way at once: decisions about
	// limits wait for them on the same connection.
	bulky = 8
)

// Scripts runs Lua scripts on the Redis that the replicas share.
type Scripts interface {
	Script(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisMessage, error)
}

//go:embed scripts
var scripts embed.FS

func script(name string) *rueidis.Lua {
	prelude, _ := scripts.ReadFile("scripts/prelude.lua") // they are embedded
	own, _ := scripts.ReadFile("scripts/" + name + ".lua")
	return rueidis.NewLuaScript(string(prelude) + "\n" + string(own))
}

var (
	beatScript   = script("beat")
	beginScript  = script("begin")
	cancelScript = script("cancel")
	eventsScript = script("events")
	forgetScript = script("forget")
	getScript    = script("get")
	listScript   = script("list")
	readScript   = script("read")
	settleScript = script("settle")
	writeScript  = script("write")
)

// Redis is the Store that all replicas of an app share. All keys of an app are on one node
// of a cluster. It is safe for concurrent use.
type Redis struct {
	scripts Scripts
	// prefix is that of all keys.
	prefix string
	// owner is the namespace and the app as they are hashed into keys.
	owner []byte
	// pod is what this pod is known as.
	pod       string
	retention time.Duration
	bound     int
	bulk      chan struct{}
	patience  time.Duration
	// clock is what the scripts go by: empty for the clock of the server. Tests set it.
	clock func() string
}

// NewRedis returns the store of an app. The pod is 32 hexadecimal digits that no other pod
// and no former life of this one has. What has ended is kept for the retention.
func NewRedis(scripts Scripts, namespace, app, pod string, retention time.Duration) *Redis {
	r := &Redis{
		scripts: scripts, owner: appendPrefixed(appendPrefixed(nil, namespace), app), pod: pod, retention: retention,
		bound: MaxPerSubject, bulk: make(chan struct{}, bulky), patience: patience, clock: func() string { return "" },
	}
	r.prefix = "nexus:{" + r.digest() + "}:"
	return r
}

// digest is a hash of the app and further texts, of which Redis is to learn nothing.
func (r *Redis) digest(texts ...string) string {
	b := slices.Clone(r.owner)
	for _, t := range texts {
		b = appendPrefixed(b, t)
	}
	hash := sha256.Sum256(b)
	return hex.EncodeToString(hash[:16])
}

// appendPrefixed appends a text and before it its length, so that no two lists of texts
// come out the same.
func appendPrefixed(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (r *Redis) podsKey() string                { return r.prefix + "pods" }
func (r *Redis) indexKey(subject string) string { return r.prefix + "runs:" + r.digest(subject) }
func (r *Redis) recordKey(ref Ref) string {
	return r.prefix + "run:" + r.digest(ref.Subject) + ":" + ref.ID
}
func (r *Redis) outputKey(ref Ref) string {
	return r.prefix + "out:" + r.digest(ref.Subject) + ":" + ref.ID
}
func (r *Redis) chunkKey(ref Ref, number int) string {
	return r.prefix + "ev" + strconv.Itoa(number) + ":" + r.digest(ref.Subject) + ":" + ref.ID
}

// keys are those that scripts about an execution begin with.
func (r *Redis) keys(ref Ref) []string {
	return []string{r.podsKey(), r.indexKey(ref.Subject), r.recordKey(ref)}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// call runs a script whose reply is a list of n texts.
func (r *Redis) call(ctx context.Context, script *rueidis.Lua, n int, keys []string, args ...string) ([]string, error) {
	return r.ask(ctx, script, n, keys, args, nil)
}

// callBulk is call for what may be large.
func (r *Redis) callBulk(ctx context.Context, script *rueidis.Lua, n int, keys []string, args ...string) ([]string, error) {
	return r.ask(ctx, script, n, keys, args, r.bulk)
}

type answer struct {
	message rueidis.RedisMessage
	err     error
}

// ask runs a script when one of the places is free. What was sent is done, so whether the
// caller still waits does not matter. The driver is left alone with it after a while: when
// it makes a connection to a server that hangs it heeds no deadline.
func (r *Redis) ask(ctx context.Context, script *rueidis.Lua, n int, keys, args []string, places chan struct{}) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience)
	defer cancel()
	if places != nil {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	answered := make(chan answer, 1)
	go func() {
		message, err := r.scripts.Script(ctx, script, keys, append([]string{r.clock(), milliseconds(lease)}, args...))
		if places != nil {
			<-places
		}
		answered <- answer{message, err}
	}()
	select {
	case a := <-answered:
		return a.texts(n)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *answer) texts(n int) ([]string, error) {
	if a.err != nil {
		return nil, a.err
	}
	texts, err := a.message.AsStrSlice()
	if err != nil || len(texts) != n {
		return nil, fmt.Errorf("reply: %w", errFormat)
	}
	return texts, nil
}

// Create implements Store.
func (r *Redis) Create(ctx context.Context, w Write) error {
	reply, err := r.write(ctx, w, strconv.Itoa(r.bound))
	if err != nil {
		return err
	}
	if reply[0] == "f" {
		return errTooMany
	}
	if victim := reply[1]; validID(victim) {
		_ = r.Forget(ctx, w.Subject, victim) // else it expires by itself
	}
	return nil
}

// Update implements Store.
func (r *Redis) Update(ctx context.Context, w Write) (Mark, error) {
	reply, err := r.write(ctx, w, "")
	if err != nil {
		return 0, err
	}
	return parseMark(reply[0])
}

func parseMark(text string) (Mark, error) {
	if len(text) == 1 {
		switch mark := Mark(text[0]); mark {
		case Going, Asked, Settled, Missing:
			return mark, nil
		}
	}
	return 0, fmt.Errorf("mark: %w", errFormat)
}

func (r *Redis) write(ctx context.Context, w Write, bound string) ([]string, error) {
	ref := Ref{w.Subject, w.ID}
	if !validID(w.ID) {
		return nil, errFormat // ids are ours
	}
	keep, finished, output := w.Keep+r.retention, "0", ""
	ended := w.Status != Running
	if ended {
		keep, finished = r.retention, strconv.FormatInt(w.Finished.UnixMilli(), 10)
	}
	if w.Output != nil {
		output = version + string(w.Output)
	}
	args := []string{milliseconds(keep), r.pod, letters[w.Status], finished, strconv.Itoa(w.LastEvent), describe(&w.Execution), output, bound}
	keys := append(r.keys(ref), r.outputKey(ref))
	values := map[int]string{}
	for _, c := range chunks(w.Events) {
		values[c.number] = writeChunk(c.events)
	}
	for n := range chunkOf(w.LastEvent) + 1 {
		if value := values[n]; value != "" || ended {
			keys, args = append(keys, r.chunkKey(ref, n)), append(args, value)
		}
	}
	if ended {
		return r.callBulk(ctx, writeScript, 2, keys, args...)
	}
	return r.call(ctx, writeScript, 2, keys, args...)
}

// Forget implements Store.
func (r *Redis) Forget(ctx context.Context, subject, id string) error {
	ref := Ref{subject, id}
	keys := append(r.keys(ref), r.outputKey(ref))
	for n := range lastChunk + 1 {
		keys = append(keys, r.chunkKey(ref, n))
	}
	_, err := r.call(ctx, forgetScript, 0, keys)
	return err
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, subject, id string) (Execution, error) {
	return r.read(ctx, getScript, Ref{subject, id})
}

// Cancel implements Store.
func (r *Redis) Cancel(ctx context.Context, subject, id string) (Execution, error) {
	return r.read(ctx, cancelScript, Ref{subject, id})
}

func (r *Redis) read(ctx context.Context, script *rueidis.Lua, ref Ref) (Execution, error) {
	if !validID(ref.ID) {
		return Execution{}, errNotFound
	}
	reply, err := r.callBulk(ctx, script, 2, append(r.keys(ref), r.outputKey(ref)), milliseconds(r.retention))
	if err != nil {
		return Execution{}, err
	}
	x, err := parseRecord(ref.Subject, ref.ID, reply[0])
	if err == nil && x.Status == Completed {
		x.Output, err = parseOutput(reply[1])
	}
	return x, err
}

// List implements Store.
func (r *Redis) List(ctx context.Context, subject string, limit int) ([]Execution, error) {
	reply, err := r.call(ctx, listScript, 1, []string{r.podsKey(), r.indexKey(subject)}, strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	ids, err := parseEntries(reply[0])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	slices.Reverse(ids)
	keys := []string{r.podsKey(), r.indexKey(subject)}
	for _, id := range ids {
		keys = append(keys, r.recordKey(Ref{subject, id}))
	}
	texts, err := r.call(ctx, readScript, len(ids), keys, milliseconds(r.retention))
	if err != nil {
		return nil, err
	}
	var list []Execution
	for i, text := range texts {
		if text == "" {
			continue // it expired
		}
		x, err := parseRecord(subject, ids[i], text)
		if err != nil {
			continue // one that only another version can read hides no other
		}
		list = append(list, x)
	}
	return list, nil
}

// Events implements Store.
func (r *Redis) Events(ctx context.Context, subject, id string, last int) (Execution, []Event, error) {
	ref := Ref{subject, id}
	if !validID(id) {
		return Execution{}, nil, errNotFound
	}
	for first := chunkOf(last + 1); ; first++ {
		keys := r.keys(ref)
		for n := first; n <= lastChunk; n++ {
			keys = append(keys, r.chunkKey(ref, n))
		}
		reply, err := r.callBulk(ctx, eventsScript, 2, keys, milliseconds(r.retention), strconv.Itoa(last))
		if err != nil {
			return Execution{}, nil, err
		}
		x, err := parseRecord(subject, id, reply[0])
		if err != nil {
			return Execution{}, nil, err
		}
		var events []Event
		if reply[1] != "" {
			if events, err = parseChunk(reply[1]); err != nil {
				return Execution{}, nil, err
			}
			events = after(events, last)
		}
		if len(events) > 0 || x.LastEvent <= last {
			return x, events, nil
		}
		if reply[1] == "" || first == lastChunk { // there are no more
			if isGone(reply[0]) {
				events = []Event{{ID: x.LastEvent, Type: EventError, Time: x.Finished}}
			}
			return x, events, nil
		}
	}
}

// Beat implements Store.
func (r *Redis) Beat(ctx context.Context, refs []Ref) ([]Mark, error) {
	marks := make([]Mark, 0, len(refs))
	for first := true; first || len(refs) > 0; first = false {
		now := refs[:min(len(refs), beatAtOnce)]
		refs = refs[len(now):]
		keys := []string{r.podsKey()}
		for _, ref := range now {
			keys = append(keys, r.recordKey(ref))
		}
		reply, err := r.call(ctx, beatScript, 1, keys, r.pod)
		if err != nil {
			return nil, err
		}
		if len(reply[0]) != len(now) {
			return nil, fmt.Errorf("marks: %w", errFormat)
		}
		for i := range reply[0] {
			mark, err := parseMark(reply[0][i : i+1])
			if err != nil {
				return nil, err
			}
			marks = append(marks, mark)
		}
	}
	return marks, nil
}
