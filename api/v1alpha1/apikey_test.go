package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseAPIKeyEntry(t *testing.T) {
	entry, err := ParseAPIKeyEntry([]byte(`{"id": "AbCd0123", "sha256": "` + digest + `", "roles": ["buyer", "admin"], "expires": "2030-01-02T03:04:05Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	if entry.ID != "AbCd0123" || entry.SHA256 != digest || strings.Join(entry.Roles, ",") != "buyer,admin" ||
		!entry.Expires.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("got %+v", entry)
	}
	minimal, err := ParseAPIKeyEntry([]byte(`{"id":"AbCd0123","sha256":"` + digest + `"}`))
	if err != nil || minimal.Roles != nil || !minimal.Expires.IsZero() {
		t.Errorf("got %+v, %v", minimal, err)
	}
}

func TestParseAPIKeyEntryRefuses(t *testing.T) {
	const whole = "not the JSON"
	for value, want := range map[string]string{
		``:                              whole,
		`null`:                          "id: must be 8 letters and digits",
		`[]`:                            whole,
		`nxs_AbCd0123_0123456789abcdef`: whole,
		`{"id":"AbCd0123","sha256":"` + digest + `"`:                                               whole,
		`{"id":"AbCd0123","sha256":"` + digest + `"}{}`:                                            "something follows",
		`{"id":"AbCd0123","sha256":"` + digest + `"} x`:                                            "something follows",
		`{"id":"AbCd0123","sha256":"` + digest + `","role":"a"}`:                                   whole,
		`{"id":"AbCd0123","sha256":"` + digest + `","roles":"a"}`:                                  whole,
		`{"id":"AbCd0123","sha256":"` + digest + `","expires":"tomorrow"}`:                         whole,
		`{"sha256":"` + digest + `"}`:                                                              "id: must be",
		`{"id":"AbCd012","sha256":"` + digest + `"}`:                                               "id: must be",
		`{"id":"AbCd01234","sha256":"` + digest + `"}`:                                             "id: must be",
		`{"id":"AbCd_123","sha256":"` + digest + `"}`:                                              "id: must be",
		`{"id":"AbCd0123"}`:                                                                        "sha256: must be",
		`{"id":"AbCd0123","sha256":"` + digest[1:] + `"}`:                                          "sha256: must be",
		`{"id":"AbCd0123","sha256":"x` + digest[1:] + `"}`:                                         "sha256: must be",
		`{"id":"AbCd0123","sha256":"` + digest + `","roles":[""]}`:                                 "roles: each must have",
		`{"id":"AbCd0123","sha256":"` + digest + `","roles":["` + strings.Repeat("r", 129) + `"]}`: "roles: each must have",
	} {
		entry, err := ParseAPIKeyEntry([]byte(value))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
		if entry.ID != "" || entry.SHA256 != "" {
			t.Errorf("%s: an entry was returned beside the error", value)
		}
	}
}

func TestAPIKeyClient(t *testing.T) {
	for key, want := range map[string]string{"web": "web", "web.2025": "web", "web.a.b": "web", "": ""} {
		if got := APIKeyClient(key); got != want {
			t.Errorf("the client of %q is %q, want %q", key, got, want)
		}
	}
}

// FuzzParseAPIKeyEntry: an entry that is taken can be looked up and is read again to
// the same; an error never quotes the value, which may be a key that somebody pasted.
func FuzzParseAPIKeyEntry(f *testing.F) {
	f.Add([]byte(`{"id":"AbCd0123","sha256":"` + digest + `","roles":["buyer"],"expires":"2030-01-02T03:04:05+02:00"}`))
	f.Add([]byte(`{"id":"AbCd0123","sha256":"` + strings.ToUpper(digest) + `"}`))
	f.Add([]byte(`{"ID":"AbCd0123","SHA256":"` + digest + `"}`))
	f.Add([]byte(`nxs_AbCd0123_SuperSecretKeyMaterial`))
	f.Add([]byte(`{"nxs_AbCd0123_SuperSecretKeyMaterial": 1}`))
	f.Add([]byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, value []byte) {
		entry, err := ParseAPIKeyEntry(value)
		if err != nil {
			if len(value) > 12 && strings.Contains(err.Error(), string(value)) {
				t.Errorf("the error quotes the value: %v", err)
			}
			return
		}
		if len(entry.ID) != APIKeyIDLength || len(entry.SHA256) != 64 {
			t.Errorf("taken: %+v", entry)
		}
		raw, err := json.Marshal(entry)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", entry, err)
		}
		again, err := ParseAPIKeyEntry(raw)
		if err != nil || again.ID != entry.ID || again.SHA256 != entry.SHA256 || !again.Expires.Equal(entry.Expires) || len(again.Roles) != len(entry.Roles) {
			t.Errorf("%+v is read again as %+v, %v", entry, again, err)
		}
	})
}
