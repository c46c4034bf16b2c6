package server

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// write writes an entry of a Secret, as the kubelet does: no reader sees half of it.
func write(t *testing.T, root, secret, entry, value string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, secret), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, secret, entry)
	if err := os.WriteFile(path+"~", []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

func reference(name, secret, key string) v1alpha1.WorkflowSecret {
	return v1alpha1.WorkflowSecret{Name: name, SecretRef: v1alpha1.WorkflowSecretReference{Name: secret, Key: key}}
}

func TestReadSecrets(t *testing.T) {
	root := t.TempDir()
	write(t, root, "token", "value", "s3cret\n")
	write(t, root, "token", "windows", "s3cret\r\n\r\n")
	write(t, root, "token", "inner", " a\nb ")
	write(t, root, "token", "empty", "")
	write(t, root, "login", "username", "ada")
	write(t, root, "login", "password", "pa55word\n")
	s, err := openSecrets(root, []v1alpha1.WorkflowSecret{
		reference("plain", "token", "value"), reference("windows", "token", "windows"), reference("inner", "token", "inner"), reference("empty", "token", "empty"),
		reference("login", "login", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"plain": "s3cret", "windows": "s3cret", "inner": " a\nb ", "empty": "",
		"login": map[string]any{"username": "ada", "password": "pa55word"},
	}
	if got := s.get(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMissingSecrets: what is missing is told at once, each with its field and where it
// is looked for.
func TestMissingSecrets(t *testing.T) {
	root := t.TempDir()
	write(t, root, "token", "value", "s3cret")
	write(t, root, "token", "large", strings.Repeat("x", mounted.MaxEntryBytes+1))
	write(t, root, "whole", "large", strings.Repeat("x", mounted.MaxEntryBytes+1))
	_, err := openSecrets(root, []v1alpha1.WorkflowSecret{
		reference("a", "token", "value"), reference("b", "token", "other"), reference("c", "nothing", ""), reference("d", "token", "large"), reference("e", "whole", ""),
	})
	want := `spec.secrets[1]: the entry "other" of Secret "token" cannot be read (no such file or directory): it is looked for in ` + root + `/token
spec.secrets[2]: the Secret "nothing" cannot be read (no such file or directory): it is looked for in ` + root + `/nothing
spec.secrets[3]: the entry "large" of Secret "token" has more than 1048576 bytes
spec.secrets[4]: the entry "large" of Secret "whole" has more than 1048576 bytes`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestWatchSecrets: each secret is followed by itself, and keeps its last good value.
func TestWatchSecrets(t *testing.T) {
	root := t.TempDir()
	write(t, root, "one", "value", "first")
	write(t, root, "two", "value", "first")
	s, err := openSecrets(root, []v1alpha1.WorkflowSecret{reference("one", "one", "value"), reference("two", "two", "value")})
	if err != nil {
		t.Fatal(err)
	}
	changed, failed := make(chan map[string]any, 10), make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.watch(ctx, func() { changed <- s.get() }, func(err error) { failed <- err.Error() })
	}()
	want := func(one, two string) {
		t.Helper()
		if got := <-changed; !reflect.DeepEqual(got, map[string]any{"one": one, "two": two}) {
			t.Errorf("got %q, want %q and %q", got, one, two)
		}
	}
	before := s.get()
	write(t, root, "one", "value", "second\n")
	want("second", "first")
	if before["one"] != "first" {
		t.Error("a run that has read a secret sees another value")
	}
	if err := os.RemoveAll(filepath.Join(root, "one")); err != nil {
		t.Fatal(err)
	}
	if got := <-failed; !strings.Contains(got, `spec.secrets[0]: the entry "value" of Secret "one" cannot be read`) {
		t.Errorf("failed with %s", got)
	}
	write(t, root, "two", "value", "second")
	want("second", "second")
	write(t, root, "one", "value", "third")
	want("third", "second")
	stop()
	<-ended
	if len(failed)+len(changed) > 0 {
		t.Errorf("%d failures and %d changes were told twice", len(failed), len(changed))
	}
}
