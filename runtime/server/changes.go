package server

import (
	"context"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
)

// keysRead tells of the outcome of reading the API keys.
func (s *Server) keysRead(reload auth.Reload) {
	s.keyCount.Store(int64(len(reload.Entries)))
	s.metrics.SetKeys(reload)
	for _, problem := range reload.Problems {
		s.log.Error("Cannot use an API key entry", "secret", s.options.Document.Auth.APIKeys.SecretRef.Name, "problem", problem)
	}
}

func (s *Server) keysChanged(reload auth.Reload) {
	s.log.Info("Credentials were read again", "entries", len(reload.Entries), "problems", len(reload.Problems))
	s.keysRead(reload)
}

// issuerChanged tells of new keys of an issuer, or of why there are none. It is called,
// one call at a time, after every attempt to read them, of which most change nothing.
func (s *Server) issuerChanged(h auth.IssuerHealth) {
	before := s.told[h.Issuer]
	s.told[h.Issuer] = h
	switch {
	case h.Problem != "" && h.Problem != before.Problem:
		s.log.Warn("Cannot read the keys of an issuer", "issuer", h.Issuer, "source", h.Source, "problem", h.Problem, "keysInUse", h.Keys)
	case h.Problem == "" && (before.Problem != "" || h.Keys != before.Keys):
		s.log.Info("Keys of an issuer were read", "issuer", h.Issuer, "source", h.Source, "keys", h.Keys)
	}
}

// redisChanged tells when Redis can be used and when not.
func (s *Server) redisChanged(h redis.Health) {
	s.redisTriedOnce.Do(func() { close(s.redisTried) })
	if !h.Up {
		s.log.Warn("Cannot use Redis: until it is back, rate limits follow spec.rateLimit.onStoreError, and calls that are asynchronous or have an Idempotency-Key are refused", "problem", h.Problem, "onStoreError", s.options.Document.RateLimit.OnStoreError)
		return
	}
	if h.Stale != "" {
		s.log.Warn("The new settings of spec.redis cannot be used: the former ones stay in force", "problem", h.Stale)
		return
	}
	s.log.Info("Redis can be used", "form", h.Form)
}

// firstTry is how long the first connection to Redis may keep a pod from being ready. A
// pod that serves a moment later would let a burst of its own through.
const firstTry = 200 * time.Millisecond

func (s *Server) awaitRedis(ctx context.Context) {
	if s.redis == nil {
		return
	}
	timer := time.NewTimer(firstTry)
	defer timer.Stop()
	select {
	case <-s.redisTried:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// rootsChanged tells of a new bundle of authorities, or of why it cannot be used.
func (s *Server) rootsChanged(problem error) {
	if problem != nil {
		s.log.Error("Cannot use the bundle of spec.trust: its last good value stays in force", "problem", problem)
		return
	}
	s.log.Info("Trusted authorities were read again")
}

// secretsChanged tells that workflows have other values of secrets from now on.
func (s *Server) secretsChanged() {
	s.log.Info("Secrets of workflows were read again")
}

// secretsFailed tells that secrets of workflows cannot be read any more.
func (s *Server) secretsFailed(problem error) {
	s.log.Error("Cannot read secrets of workflows: their last good values stay in use", "problem", problem)
}
