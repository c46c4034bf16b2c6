package auth

import (
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

// unverified is a token that was taken apart. Nothing in it is true before its signature
// is verified.
type unverified struct {
	// signed is what the signature is over.
	signed    string
	signature []byte
	alg       v1alpha1.JWTAlgorithm
	// kid is the id of the key that the token says it was signed with.
	kid    string
	claims map[string]any
}

// parseToken takes a token apart, the cheap and telling parts first. Whatever the header
// says of where keys are (jku, x5u, jwk, x5c) is not read.
func parseToken(token string) (*unverified, bool) {
	if len(token) > maxTokenLength || strings.Count(token, ".") != 2 {
		return nil, false
	}
	end := strings.LastIndexByte(token, '.')
	u := &unverified{signed: token[:end]}
	header, payload, _ := strings.Cut(u.signed, ".")
	if !u.readHeader(header) {
		return nil, false
	}
	var ok bool
	if u.signature, ok = decodePart(token[end+1:]); !ok {
		return nil, false
	}
	raw, ok := decodePart(payload)
	if !ok {
		return nil, false
	}
	u.claims, ok = parseObject(raw)
	return u, ok
}

// readHeader refuses an algorithm that is none of ours, and extensions that must be
// understood (crit), since none are.
func (u *unverified) readHeader(part string) bool {
	raw, ok := decodePart(part)
	if !ok {
		return false
	}
	header, ok := parseObject(raw)
	if !ok {
		return false
	}
	if _, critical := header["crit"]; critical {
		return false
	}
	alg, _ := header["alg"].(string)
	u.alg = v1alpha1.JWTAlgorithm(alg)
	if !jwk.Known(u.alg) {
		return false
	}
	kid, present := header["kid"]
	u.kid, ok = kid.(string)
	return ok || !present
}
