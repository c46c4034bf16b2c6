package call

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

const (
	// maxTokens is how many policies the tokens are kept of.
	maxTokens = 256
	// unknownLife is how long a token is kept whose authority does not say how long it is
	// good for, and longestLife how long one is kept at most.
	unknownLife = time.Minute
	longestLife = 24 * time.Hour
	// longestMargin is how long before its end a token is not used any more: it has to
	// arrive, and clocks differ.
	longestMargin = 30 * time.Second
	// grantTimeout bounds one request for a token, discovery included.
	grantTimeout = 30 * time.Second
	// dropInterval is the least time between two tokens that are thrown away, so that a
	// service that refuses every token does not become a flood at the authority.
	dropInterval = 10 * time.Second
)

// grant is a token and for how long it is good.
type grant struct {
	token string
	life  time.Duration
}

// lifeOf reads how many seconds a token is good for.
func lifeOf(seconds json.Number) time.Duration {
	if seconds == "" {
		return unknownLife
	}
	n, err := seconds.Float64()
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, longestLife.Seconds()) * float64(time.Second))
}

// keyOf stands for an authentication policy, without telling its secrets.
func keyOf(a *workflow.Authentication) string {
	o := a.OAuth2
	if o == nil {
		o = new(workflow.OAuth2)
	}
	fields := []string{string(a.Scheme), o.Authority, o.TokenPath, o.ClientID, o.ClientSecret, o.Assertion, o.ClientAuthentication, o.Encoding}
	for _, list := range [][]string{o.Scopes, o.Audiences, o.Issuers} {
		fields = append(fields, digestOf(list...))
	}
	return digestOf(fields...)
}

// digestOf is the SHA-256 of a list of texts, each with its length.
func digestOf(fields ...string) string {
	h := sha256.New()
	for _, field := range fields {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		_, _ = io.WriteString(h, field)
	}
	return string(h.Sum(nil))
}

// tokens keep what authorities have granted. Of each policy at most one request for a
// token is under way, whoever waits for it.
type tokens struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[string]*keptToken // by keyOf the policy
}

// keptToken is the token of one policy, and the request for its next one.
type keptToken struct {
	token   string
	until   time.Time
	dropped time.Time
	request *tokenRequestUnderWay
}

// tokenRequestUnderWay is a request for a token. It ends early when nobody waits any more.
type tokenRequestUnderWay struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{}
	// token and err are there once done is closed.
	token string
	err   error
}

// get returns the token of a policy, and whether it was kept from before.
func (t *tokens) get(ctx context.Context, key string, fetch func(context.Context) (grant, error)) (string, bool, error) {
	t.mu.Lock()
	k := t.entry(key)
	if k.token != "" && t.now().Before(k.until) {
		defer t.mu.Unlock()
		return k.token, true, nil
	}
	if k.request == nil {
		k.request = t.ask(ctx, k, fetch)
	}
	request := k.request
	request.waiting++
	t.mu.Unlock()
	select {
	case <-request.done:
		return request.token, false, request.err
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if request.waiting--; request.waiting == 0 {
		request.cancel()
		if k.request == request {
			k.request = nil // who comes next does not wait for the end of this one
		}
	}
	return "", false, ctx.Err()
}

// entry returns the place of a policy, with the lock held. When there are too many, the
// one goes that is of no more use the soonest.
func (t *tokens) entry(key string) *keptToken {
	if k := t.kept[key]; k != nil {
		return k
	}
	if t.kept == nil {
		t.kept = map[string]*keptToken{}
	}
	if len(t.kept) >= maxTokens {
		var oldest string
		var end *keptToken
		for other, k := range t.kept {
			if end == nil || k.until.Before(end.until) {
				oldest, end = other, k
			}
		}
		delete(t.kept, oldest)
	}
	k := new(keptToken)
	t.kept[key] = k
	return k
}

// ask begins a request for a token, with the lock held. It is not bound to the run that
// was first to need it.
func (t *tokens) ask(ctx context.Context, k *keptToken, fetch func(context.Context) (grant, error)) *tokenRequestUnderWay {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grantTimeout)
	request := &tokenRequestUnderWay{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer cancel()
		asked := t.now()
		granted, err := fetch(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			// Not the end of the runs that wait, who may have come a moment ago.
			late := workflow.NewError(workflow.CommunicationError, forLog(err), "%s does not answer in time", theAuthority)
			late.Status, err = http.StatusGatewayTimeout, late
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		request.token, request.err = granted.token, err
		if k.request == request {
			k.request = nil
			if err == nil {
				k.token = granted.token
				k.until = asked.Add(granted.life - min(granted.life/10, longestMargin))
			}
		}
		close(request.done)
	}()
	return request
}

// drop forgets a token that a service has refused, and says whether another try makes
// sense: with a new one, or with the one that took its place meanwhile.
func (t *tokens) drop(key string, token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.entry(key)
	if k.token != token {
		return true
	}
	if now := t.now(); now.Sub(k.dropped) >= dropInterval {
		k.token, k.dropped = "", now
		return true
	}
	return false
}
