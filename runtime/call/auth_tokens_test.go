package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// TestOneRequestForMany: however many runs need a token, and whoever of them goes, one
// request is made.
func TestOneRequestForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, asked, give := tokens{now: time.Now}, 0, make(chan grant)
		fetch := func(ctx context.Context) (grant, error) {
			asked++
			select {
			case g := <-give:
				return g, nil
			case <-ctx.Done():
				return grant{}, ctx.Err()
			}
		}
		first, leave := context.WithCancel(t.Context())
		var runs sync.WaitGroup
		runs.Go(func() {
			if _, _, err := tokens.get(first, "k", fetch); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that left: %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			runs.Go(func() {
				if token, kept, err := tokens.get(t.Context(), "k", fetch); token != "t" || kept || err != nil {
					t.Errorf("%s, %v, %v", token, kept, err)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		give <- grant{"t", time.Hour}
		runs.Wait()
		if token, kept, err := tokens.get(t.Context(), "k", fetch); token != "t" || !kept || err != nil || asked != 1 {
			t.Errorf("afterwards: %s, %v, %v, asked %d times", token, kept, err, asked)
		}
	})
}

// TestNobodyWaits: a request that nobody waits for ends, and who comes next does not wait
// for that.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, ended := tokens{now: time.Now}, make(chan struct{})
		stuck := func(ctx context.Context) (grant, error) {
			<-ctx.Done()
			<-ended
			return grant{"late", time.Hour}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := tokens.get(ctx, "k", stuck); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		fetch := func(context.Context) (grant, error) { return grant{"next", time.Hour}, nil }
		if token, kept, err := tokens.get(t.Context(), "k", fetch); token != "next" || kept || err != nil {
			t.Errorf("%s, %v, %v", token, kept, err)
		}
		close(ended) // the one that was given up must not overwrite the next one's
		synctest.Wait()
		if token, kept, _ := tokens.get(t.Context(), "k", fetch); token != "next" || !kept {
			t.Errorf("%s, %v", token, kept)
		}
	})
}

// TestSilentAuthority: runs that could wait longer get an error that they can catch.
func TestSilentAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, start := tokens{now: time.Now}, time.Now()
		_, _, err := tokens.get(t.Context(), "k", func(ctx context.Context) (grant, error) {
			<-ctx.Done()
			return grant{}, fmt.Errorf("asking 127.0.0.1: %w", ctx.Err())
		})
		mustFail(t, "silent", err, workflow.CommunicationError, 504, "does not answer in time")
		if took := time.Since(start); took != grantTimeout {
			t.Errorf("after %s", took)
		}
		if _, _, err := tokens.get(t.Context(), "k", func(context.Context) (grant, error) { return grant{"t", time.Hour}, nil }); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

func TestKeptLife(t *testing.T) {
	for life, want := range map[string]time.Duration{
		"":      54 * time.Second,
		"0":     0,
		"-5":    0,
		"60":    54 * time.Second,
		"3600":  3570 * time.Second,
		"1e300": longestLife - longestMargin,
		"0.5":   450 * time.Millisecond,
	} {
		now := time.Unix(1e9, 0)
		start, asked := now, 0
		tokens := tokens{now: func() time.Time { return now }}
		get := func() int {
			if _, _, err := tokens.get(t.Context(), "k", func(context.Context) (grant, error) {
				asked++
				return grant{"t", lifeOf(json.Number(life))}, nil
			}); err != nil {
				t.Fatal(err)
			}
			return asked
		}
		get()
		now = start.Add(want - 1)
		before := get()
		now = start.Add(want)
		if after := get(); want > 0 && before != 1 || after != before+1 {
			t.Errorf("%q: asked %d times before %s, %d times after", life, before, want, after)
		}
	}
}

func TestTokensAreBounded(t *testing.T) {
	now := time.Now()
	tokens := tokens{now: func() time.Time { return now }}
	life, asked := time.Hour, 0
	get := func(key string) {
		t.Helper()
		if _, _, err := tokens.get(t.Context(), key, func(context.Context) (grant, error) { asked++; return grant{"t", life}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	get("long")
	life = time.Minute
	for i := range 2 * maxTokens {
		get(fmt.Sprint(i))
		if len(tokens.kept) > maxTokens {
			t.Fatalf("%d are kept", len(tokens.kept))
		}
	}
	if before := asked; before != 2*maxTokens+1 {
		t.Errorf("asked %d times", before)
	} else if get("long"); asked != before {
		t.Error("the one that is good the longest is gone")
	}
}

// TestManyCalls: many runs at once, while the token is revoked now and then.
func TestManyCalls(t *testing.T) {
	goroutines.Settle(t)
	a := newAuthority(t)
	c := callerTo(t, a.Server)
	answered(t, c, a.call(nil))
	a.revoke()
	var calls sync.WaitGroup
	refused := atomic.Int32{}
	for range 100 {
		calls.Go(func() {
			resp, err := c.HTTP(t.Context(), a.call(nil))
			if err != nil {
				t.Error(err)
			} else if resp.Status != 200 {
				refused.Add(1)
			}
		})
	}
	calls.Wait()
	if grants, _ := a.counts(); grants != 2 || refused.Load() != 0 {
		t.Errorf("%d tokens, %d calls refused", grants, refused.Load())
	}
}

// TestCallEndsWhileWaiting: a run that ends leaves no request for a token behind.
func TestCallEndsWhileWaiting(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	c := callerTo(t, server)
	for _, scheme := range []workflow.AuthenticationScheme{workflow.AuthenticateOAuth2, workflow.AuthenticateOIDC} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		_, err := c.HTTP(ctx, &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: &workflow.Authentication{
			Scheme: scheme, OAuth2: &workflow.OAuth2{Authority: server.URL, ClientID: "c", ClientSecret: "s3cret"}}})
		cancel()
		if _, ok := errors.AsType[*workflow.Error](err); ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
