// Package redisclient connects tests to a real Redis through the runtime's own client.
package redisclient

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
)

// ample is a deadline for what is not about deadlines.
const ample = 30 * time.Second

// Client is a Redis client that is up, and tells when it is not.
type Client struct {
	*redis.Client
	news chan redis.Health
}

// Connect returns a client of the Redis at a URL, which is closed when the test ends.
func Connect(tb testing.TB, url string) Client {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "redis"), 0o750); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "redis", "url"), []byte(url), 0o600); err != nil {
		tb.Fatal(err)
	}
	c := Client{news: make(chan redis.Health, 1000)}
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
	c.Await(tb, true)
	return c
}

// Await waits until Redis is up, or not.
func (c Client) Await(tb testing.TB, up bool) {
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
