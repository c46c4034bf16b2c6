package auth

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

// maxAge is how long fetched keys are used after the last time that they were fetched.
const maxAge = 24 * time.Hour

// IssuerHealth is what may be told of an issuer and its keys.
type IssuerHealth struct {
	// Issuer is the value of the claim iss.
	Issuer string
	// Source of the keys: discovery, jwks, publicKey, hmac or cluster.
	Source string
	// Keys is the number of keys in use.
	Keys int
	// LastSuccess is when the keys were read last; zero is never.
	LastSuccess time.Time
	// LastFetch is when keys were asked for last; zero where none are fetched.
	LastFetch time.Time
	// Fetches and Failures count the attempts to fetch keys.
	Fetches, Failures uint64
	// Stale says that keys are in use although the last attempt to read them failed.
	Stale bool
	// Problem is what is wrong, in one line without any part of a key; empty when
	// nothing is.
	Problem string
}

// issuer is an issuer whose tokens are accepted.
type issuer struct {
	config v1alpha1.JWTIssuer
	// name is the value of the claim iss; of the cluster, it is not what the
	// configuration says.
	name string
	// subjects are the roles of those that are listed; nil when none are.
	subjects map[string][]string
	keys     atomic.Pointer[snapshot]
	// One of these is where the keys come from, or neither for the cluster.
	fetcher *fetcher
	file    *secretFile

	mu     sync.Mutex
	health IssuerHealth
}

// snapshot is a set of keys and when it was read. Read again without a change, the set
// stays the same one.
type snapshot struct {
	set *jwk.Set
	at  time.Time
}

func newIssuer(config v1alpha1.JWTIssuer) *issuer {
	i := &issuer{config: config, name: config.Issuer}
	i.keys.Store(&snapshot{})
	for _, s := range config.Subjects {
		if i.subjects == nil {
			i.subjects = make(map[string][]string, len(config.Subjects))
		}
		i.subjects[s.Name] = s.Roles
	}
	return i
}

// usable returns the keys in force; nil when there are none, or none that are fresh
// enough.
func (i *issuer) usable(now time.Time) *jwk.Set {
	s := i.keys.Load()
	if i.fetcher != nil && now.Sub(s.at) >= maxAge {
		return nil
	}
	return s.set
}

// install puts keys in force. The same keys as before stay the set that they are, so
// that what was verified with it stays verified.
func (i *issuer) install(set *jwk.Set, at time.Time) {
	if before := i.keys.Load().set; before.Len() > 0 && before.Same(set) {
		set = before
	}
	i.keys.Store(&snapshot{set: set, at: at})
}

// report returns the health at a time.
func (i *issuer) report(now time.Time) IssuerHealth {
	i.mu.Lock()
	h := i.health
	i.mu.Unlock()
	h.Keys = i.usable(now).Len()
	if h.Stale && h.Keys == 0 {
		h.Stale = false
		if i.keys.Load().set.Len() > 0 {
			h.Problem = bounded("the keys are too old to be used: " + h.Problem)
		}
	}
	return h
}

// update changes the health.
func (i *issuer) update(change func(*IssuerHealth)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(&i.health)
}

// bounded makes one short line of what others may have written.
func bounded(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
