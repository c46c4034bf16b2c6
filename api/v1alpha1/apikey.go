package v1alpha1

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// APIKeyEntry is one entry of an API key Secret: what is kept of a key, which is
// never the key itself. The same parser serves the operator, which refuses a
// broken entry before it reaches a pod, and the runtime.
//
// +kubebuilder:object:generate=false
type APIKeyEntry struct {
	// ID is the public part of the key: nxs_<ID>_<secret>.
	ID string `json:"id"`
	// SHA256 is the hexadecimal SHA-256 of the whole key.
	SHA256 string `json:"sha256"`
	// Roles the client has.
	Roles []string `json:"roles,omitempty"`
	// Expires is when the key stops working; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// APIKeyIDLength is the number of characters of a key's public id.
const APIKeyIDLength = 8

// ParseAPIKeyEntry reads the value of one entry. Errors name the field and never
// hold any part of the value.
func ParseAPIKeyEntry(value []byte) (APIKeyEntry, error) {
	const most = 64 << 10
	if len(value) > most {
		return APIKeyEntry{}, fmt.Errorf("has more than %d bytes: not what 'nexus keys new' prints", most)
	}
	var e APIKeyEntry
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		// The decoder's own message may quote the value.
		return APIKeyEntry{}, errors.New(`not the JSON {"id", "sha256", "roles", "expires"} that 'nexus keys new' prints`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return APIKeyEntry{}, errors.New("something follows the JSON object")
	}
	if len(e.ID) != APIKeyIDLength || strings.Trim(e.ID, base62) != "" {
		return APIKeyEntry{}, fmt.Errorf("id: must be %d letters and digits", APIKeyIDLength)
	}
	if sum, err := hex.DecodeString(e.SHA256); err != nil || len(sum) != 32 {
		return APIKeyEntry{}, errors.New("sha256: must be 64 hexadecimal digits")
	}
	for _, role := range e.Roles {
		if role == "" || len(role) > 128 {
			return APIKeyEntry{}, errors.New("roles: each must have 1 to 128 characters")
		}
	}
	return e, nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// APIKeyClient is the client that the Secret entry called key belongs to: the part
// before the first dot, so that one client can have two live entries.
func APIKeyClient(key string) string {
	client, _, _ := strings.Cut(key, ".")
	return client
}
