package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"unicode/utf8"
)

// parsePublicKeys reads what publicKeySecretRef names: PEM blocks, or a JWK set. It is
// an error when no key in it can be used.
func parsePublicKeys(raw []byte) (*keySet, notes, error) {
	if looksLikeJSON(raw) {
		return someKey(parseJWKSet(raw, publicKeys))
	}
	return someKey(parsePEM(raw))
}

// parseSecrets reads what hmacSecretRef names: a secret as it is, or a JWK set. It is an
// error when no secret in it can be used.
func parseSecrets(raw []byte) (*keySet, notes, error) {
	if looksLikeJSON(raw) {
		return someKey(parseJWKSet(raw, hmacSecrets))
	}
	if len(raw) > maxKeysBytes {
		return nil, nil, fmt.Errorf("more than %d KiB", maxKeysBytes>>10)
	}
	// An editor or echo ends a file with a newline that is no part of the secret.
	v, err := newVerifier("", "", bytes.TrimSuffix(raw, []byte("\n")))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: make one with 'openssl rand -base64 48'", err)
	}
	return &keySet{keys: []*verifier{v}}, nil, nil
}

// looksLikeJSON says whether a value is meant to be JSON, even when it was cut. Random
// bytes are not text.
func looksLikeJSON(raw []byte) bool {
	text := bytes.TrimLeft(raw, " \t\r\n")
	return len(text) > 0 && text[0] == '{' && (utf8.Valid(text) || json.Valid(text))
}

func someKey(set *keySet, skipped notes, err error) (*keySet, notes, error) {
	if err == nil && set.len() == 0 {
		err = errors.New("it holds no key that can be used")
		if len(skipped) > 0 {
			err = errors.New(skipped.String())
		}
	}
	return set, skipped, err
}

// parsePEM reads public keys (PKIX and PKCS #1) and certificates. Of a certificate only
// the key is taken: whoever put it there says that it counts.
func parsePEM(raw []byte) (*keySet, notes, error) {
	if len(raw) > maxKeysBytes {
		return nil, nil, fmt.Errorf("more than %d KiB", maxKeysBytes>>10)
	}
	set, skipped, blocks := &keySet{}, notes{}, 0
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		v, err := blockVerifier(block)
		if err == nil {
			err = set.add(v)
		}
		if err != nil {
			skipped.add("PEM block %d is not used: %v", blocks, err)
		}
	}
	// The decoder passes over what it cannot read.
	if begun := bytes.Count(raw, []byte("-----BEGIN ")); begun != blocks {
		skipped.add("%d of %d PEM blocks are cut or not base64", begun-blocks, begun)
	}
	if blocks == 0 && len(skipped) == 0 {
		return nil, nil, errors.New("neither PEM nor a JWK set")
	}
	return set, skipped, nil
}

func blockVerifier(block *pem.Block) (*verifier, error) {
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default:
		return nil, errors.New(`it must be a "PUBLIC KEY", an "RSA PUBLIC KEY" or a "CERTIFICATE"`)
	}
	if err != nil {
		return nil, errors.New("it cannot be parsed")
	}
	return newVerifier("", "", key)
}
