package workflow

import "testing"

// TestWhoCallsIsNoSecret uses a secret with a user whose name is an ordinary word: it stays
// where it stands, and the password does not.
func TestWhoCallsIsNoSecret(t *testing.T) {
	p, problems := Compile("quote", define(`"use":{"secrets":["login"]},"do":[{"a":{"set":{"x":"${ $secrets.login.password }","userId":"${ $secrets.login.username }"}}}]`), Environment{Secrets: []string{"login"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	host := &Host{Secrets: func() map[string]any {
		return map[string]any{"login": map[string]any{"username": "user", "password": "hunter2"}}
	}}
	got, err := p.Run(t.Context(), nil, host, Options{})
	if want := value(t, `{"x":"[redacted]","userId":"user"}`); err != nil || !sameJSON(t, got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
