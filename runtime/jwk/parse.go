// Package jwk reads the keys of issuers of tokens, and verifies signatures with them. The
// operator checks with it what the runtime will read with it.
//
// What it says of a value never quotes any part of it, which may be a secret that was put
// in the wrong place.
package jwk

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxBytes bounds the value that holds one issuer's keys.
const MaxBytes = 256 << 10

var errTooLarge = fmt.Errorf("it has more than %d KiB", MaxBytes>>10)

// ParsePublic reads what publicKeySecretRef names: PEM blocks, or a JWK set. It is an
// error when no key in it can be used.
func ParsePublic(raw []byte) (*Set, Notes, error) {
	if looksLikeJSON(raw) {
		return someKey(parseSet(raw, publicKeys))
	}
	return someKey(parsePEM(raw))
}

// ParseSecrets reads what hmacSecretRef names: a secret as it is, or a JWK set. It is an
// error when no secret in it can be used.
func ParseSecrets(raw []byte) (*Set, Notes, error) {
	if looksLikeJSON(raw) {
		return someKey(parseSet(raw, hmacSecrets))
	}
	if len(raw) > MaxBytes {
		return nil, nil, errTooLarge
	}
	// Anybody could sign with a key that is public.
	if block, _ := pem.Decode(raw); block != nil {
		if _, err := publicKey(block); err == nil {
			return nil, nil, errors.New("it is a public key, which is no secret: use publicKeySecretRef")
		}
	}
	// An editor or echo ends a file with a newline that is no part of the secret.
	k, err := newKey("", "", bytes.TrimSuffix(raw, []byte("\n")))
	if err != nil {
		return nil, nil, err
	}
	return &Set{keys: []*Key{k}}, nil, nil
}

// ParseSet reads the public keys of a JWK set that an issuer publishes, which may hold
// none. It is an error when raw is no JWK set.
func ParseSet(raw []byte) (*Set, Notes, error) { return parseSet(raw, publicKeys) }

// looksLikeJSON says whether a value is meant to be JSON, even when it was cut. Random
// bytes are not text.
func looksLikeJSON(raw []byte) bool {
	text := bytes.TrimLeft(raw, " \t\r\n")
	return len(text) > 0 && text[0] == '{' && (utf8.Valid(text) || json.Valid(text))
}

func someKey(set *Set, skipped Notes, err error) (*Set, Notes, error) {
	if err == nil && set.Len() == 0 {
		err = errors.New(cmp.Or(skipped.String(), "the JWK set holds no key that can be used: add one"))
	}
	return set, skipped, err
}

// parsePEM reads public keys (PKIX and PKCS #1) and certificates. Of a certificate only
// the key is taken: whoever put it there says that it counts.
func parsePEM(raw []byte) (*Set, Notes, error) {
	if len(raw) > MaxBytes {
		return nil, nil, errTooLarge
	}
	set, skipped, blocks := &Set{}, Notes{}, 0
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		key, err := blockKey(block)
		if err == nil {
			err = set.add(key)
		}
		if err != nil {
			skipped.add("PEM block %d is not used: %v", blocks, err)
		}
	}
	// The decoder passes over what it cannot read.
	if begun := bytes.Count(raw, []byte("-----BEGIN ")); begun != blocks {
		skipped.add("%d of %d PEM blocks are cut or not base64: copy the public keys again, whole", begun-blocks, begun)
	}
	if blocks == 0 && len(skipped) == 0 {
		return nil, nil, errors.New(`neither PEM nor a JWK set: put the issuer's public keys there, from BEGIN PUBLIC KEY on, or {"keys": [...]}`)
	}
	return set, skipped, nil
}

func blockKey(block *pem.Block) (*Key, error) {
	key, err := publicKey(block)
	if err != nil {
		return nil, err
	}
	return newKey("", "", key)
}

// publicKey is the key in a block.
func publicKey(block *pem.Block) (any, error) {
	var key any
	var err error
	switch {
	case block.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it is a private key, which the app must not have: put its public part there ('openssl pkey -pubout')")
	default:
		return nil, errors.New(`it must be a "PUBLIC KEY", an "RSA PUBLIC KEY" or a "CERTIFICATE"`)
	}
	if err != nil {
		return nil, errors.New("it cannot be parsed: copy the public key again, whole")
	}
	return key, nil
}
