package auth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

func TestClaims(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(func(j *v1alpha1.JWTIssuer) { j.Audiences = []string{"other", testAudience} }), signer.PEM())
	type set = map[string]any
	at := func(d time.Duration) json.Number { return json.Number(fmt.Sprint(noon.Add(d).Unix())) }
	for _, c := range []struct {
		name   string
		change set
		want   Reason
	}{
		{"as they should be", nil, Accepted},
		{"no issuer", set{"iss": nil}, Malformed},
		{"issuer is a list", set{"iss": []string{testIssuer}}, Malformed},
		{"issuer with a slash", set{"iss": testIssuer + "/"}, UntrustedIssuer},
		{"issuer in other case", set{"iss": strings.ToUpper(testIssuer)}, UntrustedIssuer},
		{"empty issuer", set{"iss": ""}, UntrustedIssuer},

		{"no audience", set{"aud": nil}, Malformed},
		{"audience is a number", set{"aud": 1}, Malformed},
		{"audience with a number in it", set{"aud": []any{testAudience, 1}}, Malformed},
		{"empty audience", set{"aud": ""}, WrongAudience},
		{"empty list of audiences", set{"aud": []string{}}, WrongAudience},
		{"other audience", set{"aud": "https://bank.example.com"}, WrongAudience},
		{"longer audience", set{"aud": testAudience + "/x"}, WrongAudience},
		{"one of the audiences", set{"aud": []string{"https://bank.example.com", testAudience}}, Accepted},
		{"the first audience", set{"aud": "other"}, Accepted},

		{"no expiry", set{"exp": nil}, Malformed},
		{"expiry is a string", set{"exp": "9999999999"}, Malformed},
		{"expiry in words", set{"exp": "tomorrow"}, Malformed},
		{"expiry is true", set{"exp": true}, Malformed},
		{"expiry in milliseconds", set{"exp": noon.UnixMilli()}, Malformed},
		{"expiry beyond any number", set{"exp": json.Number("1e999")}, Malformed},
		{"expiry beyond an integer", set{"exp": json.Number("9223372036854775808")}, Malformed},
		{"negative expiry", set{"exp": -1}, Malformed},
		{"expiry 0", set{"exp": 0}, Expired},
		{"expired within the leeway", set{"exp": at(-29 * time.Second)}, Accepted},
		{"expired at the end of the leeway", set{"exp": at(-30 * time.Second)}, Expired},
		{"expired for a fraction less", set{"exp": at(-30*time.Second) + ".5"}, Accepted},
		{"expires in the year 9999", set{"exp": maxDate}, Accepted},
		{"expires in the year 10000", set{"exp": maxDate + 1}, Malformed},
		{"expiry with an exponent", set{"exp": json.Number("2.0e9")}, Accepted},

		{"valid from the end of the leeway", set{"nbf": at(30 * time.Second)}, Accepted},
		{"valid from later on", set{"nbf": at(31 * time.Second)}, NotYetValid},
		{"valid from words", set{"nbf": "now"}, Malformed},
		{"issued at the end of the leeway", set{"iat": at(30 * time.Second)}, Accepted},
		{"issued later on", set{"iat": at(31 * time.Second)}, NotYetValid},
		{"issued never", set{"iat": nil}, Accepted},
		{"issued in words", set{"iat": "now"}, Malformed},

		{"no subject", set{"sub": nil}, Malformed},
		{"subject is a number", set{"sub": 42}, Malformed},
		{"empty subject", set{"sub": ""}, Malformed},
		{"longest subject", set{"sub": strings.Repeat("a", 512)}, Accepted},
		{"longer subject", set{"sub": strings.Repeat("a", 513)}, Malformed},
		{"subject with a line break", set{"sub": "a\nb"}, Malformed},
		{"subject with a C1 control", set{"sub": "a\u0085b"}, Malformed},
		{"subject with half a surrogate", set{"sub": "a\ufffdb"}, Malformed},
		{"subject in letters of the world", set{"sub": "Zoë|Привет"}, Accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, reason := v.Verify(t.Context(), signer.Sign(claims(c.change)), noon)
			if reason != c.want || (p != nil) != (c.want == Accepted) {
				t.Errorf("got %+v, %q; want %q", p, reason, c.want)
			}
		})
	}
}

func TestPrincipal(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	p, _ := v.Verify(t.Context(), signer.Sign(claims(map[string]any{"roles": []string{"buyer"}, "scope": "read  write"})), noon)
	if p == nil || p.Subject != "jwt|"+testIssuer+"|alice" || p.Name != "alice" || p.Issuer != testIssuer || !p.Expires.Equal(noon.Add(5*time.Minute)) {
		t.Fatalf("got %+v", p)
	}
	if !p.HasAnyRole([]string{"x", "buyer"}) || !p.HasAnyScope([]string{"write", "x"}) || p.HasAnyScope([]string{"read  write"}) || p.HasAnyScope(nil) {
		t.Errorf("roles and scopes of %+v", p)
	}
}

func TestRolesAndScopes(t *testing.T) {
	type set = map[string]any
	many := make([]string, maxNames+1)
	for n := range many {
		many[n] = fmt.Sprint(n)
	}
	for _, c := range []struct {
		name   string
		claim  string
		claims set
		roles  []string
		scopes []string
	}{
		{"a list", "r", set{"r": []string{"a", "b c"}}, []string{"a", "b c"}, []string{"a", "b c"}},
		{"a string", "r", set{"r": "a b"}, []string{"a b"}, []string{"a", "b"}},
		{"none", "r", set{}, nil, nil},
		{"null", "r", set{"r": json.RawMessage("null")}, nil, nil},
		{"a number", "r", set{"r": 1}, nil, nil},
		{"an object", "r", set{"r": set{"a": "b"}}, nil, nil},
		{"other things in the list", "r", set{"r": []any{"a", 1, nil, []string{"x"}, "b"}}, []string{"a", "b"}, []string{"a", "b"}},
		{"empty and long names", "r", set{"r": []string{"", strings.Repeat("x", 129), strings.Repeat("x", 128)}}, []string{strings.Repeat("x", 128)}, []string{strings.Repeat("x", 128)}},
		{"too many", "r", set{"r": many}, many[:maxNames], many[:maxNames]},
		{"a path", "r.s.t", set{"r": set{"s": set{"t": []string{"a"}}}}, []string{"a"}, []string{"a"}},
		{"the literal name first", "r.s", set{"r.s": "a", "r": set{"s": "b"}}, []string{"a"}, []string{"a"}},
		{"the literal name, though it is no list", "r.s", set{"r.s": 1, "r": set{"s": "b"}}, nil, nil},
		{"a URL", "https://x.example.com/roles", set{"https://x.example.com/roles": []string{"a"}}, []string{"a"}, []string{"a"}},
		{"a path through a string", "r.s", set{"r": "s"}, nil, nil},
		{"a path to an object", "r", set{"r": set{"s": "b"}}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := json.Marshal(c.claims)
			if err != nil {
				t.Fatal(err)
			}
			read, ok := parseObject(raw)
			if roles := names(find(read, c.claim), false); !ok || !slices.Equal(roles, c.roles) {
				t.Errorf("roles %q", roles)
			}
			if scopes := names(find(read, c.claim), true); !slices.Equal(scopes, c.scopes) {
				t.Errorf("scopes %q", scopes)
			}
		})
	}
}

func TestListedSubjects(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(func(j *v1alpha1.JWTIssuer) {
		j.RolesClaim = "groups"
		j.Subjects = []v1alpha1.JWTSubject{{Name: "alice", Roles: []string{"admin"}}, {Name: "bob"}}
	}), signer.PEM())
	for sub, want := range map[string][]string{"alice": {"buyer", "admin"}, "bob": {"buyer"}} {
		p, reason := v.Verify(t.Context(), signer.Sign(claims(map[string]any{"sub": sub, "groups": "buyer"})), noon)
		if reason != Accepted || !slices.Equal(p.Roles, want) {
			t.Errorf("%s: %+v, %q", sub, p, reason)
		}
	}
	for _, sub := range []string{"carol", "alice2", "Alice"} {
		if _, reason := v.Verify(t.Context(), signer.Sign(claims(map[string]any{"sub": sub})), noon); reason != UnlistedSubject {
			t.Errorf("%s: %q", sub, reason)
		}
	}
}

// Reasons are metric labels, and all of them are listed.
func TestReasons(t *testing.T) {
	seen := map[Reason]bool{}
	for _, reason := range Reasons {
		if reason == Accepted || seen[reason] || strings.Trim(string(reason), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("the reason %q", reason)
		}
		seen[reason] = true
	}
	if len(seen) != 13 {
		t.Errorf("%d reasons", len(seen))
	}
}
