package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContexts(t *testing.T) {
	home := t.TempDir()
	t.Setenv(ConfigVariable, "")
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "xdg"))
	path := filepath.Join(home, "xdg", "nexus", "config.yaml")
	load := func() *Contexts {
		t.Helper()
		c, err := LoadContexts()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load()
	if _, ok, err := c.Find(""); ok || err != nil {
		t.Errorf("a context is found where there is none: %v", err)
	}
	for _, set := range []Context{
		{Name: "shop", Server: "https://shop.example.com", TokenFile: "/secret/shop"},
		{Name: "local", Server: "http://127.0.0.1:8000", MCPServer: "http://127.0.0.1:3001"},
		{Name: "shop", Server: "https://shop.example.org", TokenFile: "/secret/shop"},
	} {
		if err := c.Set(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	// What others have left open is closed.
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v (%v)", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	c = load()
	if found, ok, err := c.Find(""); err != nil || !ok || found.Name != "shop" || found.Server != "https://shop.example.org" {
		t.Errorf("the current context is %+v, %v", found, err)
	}
	if found, ok, err := c.Find("local"); err != nil || !ok || found.MCPServer != "http://127.0.0.1:3001" {
		t.Errorf("found %+v, %v", found, err)
	}
	raw, err := c.JSON()
	if want := `{"contexts":[{"name":"shop","server":"https://shop.example.org","tokenFile":"/secret/shop"},{"mcpServer":"http://127.0.0.1:3001","name":"local","server":"http://127.0.0.1:8000"}],"currentContext":"shop"}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
	if err := errors.Join(c.Use("local"), c.Delete("local")); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Find(""); ok || err != nil {
		t.Errorf("the deleted context is still the current one: %v", err)
	}
	for _, err := range []error{c.Use("local"), c.Delete("local"), c.Set(Context{Name: "a b", Server: "https://a.example.com"}), c.Set(Context{Name: "a", Server: "a.example.com"})} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Exit != ExitUsage {
			t.Errorf("%v", err)
		}
	}
}

func TestContextsThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	t.Setenv(ConfigVariable, path)
	if err := os.WriteFile(path, []byte("contexts: [{name: a, server: 'https://a.example.com', token: hush}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadContexts(); err == nil || !strings.Contains(err.Error(), `unknown field "contexts[0].token"`) && !strings.Contains(err.Error(), `"token"`) || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

// TestSaveThroughLink: a configuration that is kept elsewhere stays there.
func TestSaveThroughLink(t *testing.T) {
	dir := t.TempDir()
	kept, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "config.yaml")
	if err := errors.Join(os.WriteFile(kept, nil, 0o600), os.Symlink(kept, link)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(ConfigVariable, link)
	c, err := LoadContexts()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Set(Context{Name: "a", Server: "https://a.example.com"}), c.Save()); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != kept {
		t.Errorf("the link is %q, %v", target, err)
	}
	if raw, err := os.ReadFile(kept); err != nil || !strings.Contains(string(raw), "https://a.example.com") {
		t.Errorf("%s, %v", raw, err)
	}
}
