package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// ConfigVariable is the environment variable with the path of the file of contexts.
const ConfigVariable = "NEXUS_CONFIG"

// Context is a server with a name. A token itself is never in it.
type Context struct {
	Name string `json:"name"`
	// Server is the URL of the REST API, and MCPServer that of the MCP endpoint, when it
	// is not /mcp of the server.
	Server    string `json:"server"`
	MCPServer string `json:"mcpServer,omitempty"`
	// TokenFile holds a token or an API key.
	TokenFile string `json:"tokenFile,omitempty"`
	// CAFile holds the authorities that are trusted instead of the system's.
	CAFile string `json:"caFile,omitempty"`
	// InsecureHTTP lets the token go over plain HTTP to other machines.
	InsecureHTTP bool `json:"insecureHTTP,omitempty"`
}

// Contexts is the file of contexts.
type Contexts struct {
	// Current is the name of the context that commands use which name no server.
	Current  string    `json:"currentContext,omitempty"`
	Contexts []Context `json:"contexts,omitempty"`
	path     string
}

// contextName is what a context can be called.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// configPath is where the contexts are: what the environment says, or nexus/config.yaml
// where the user's configuration is (XDG Base Directory Specification).
func configPath() (string, error) {
	if path := os.Getenv(ConfigVariable); path != "" {
		return path, nil
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the specification has a relative one ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the file of contexts: %w: set %s", err, ConfigVariable)
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "nexus", "config.yaml"), nil
}

// LoadContexts reads the file of contexts. Without one there are none.
func LoadContexts() (*Contexts, error) {
	path, err := configPath()
	if err != nil {
		return nil, err
	}
	c := &Contexts{path: path}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the contexts: %w", err)
	}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		return nil, fmt.Errorf("reading the contexts: %s: %w", path, err)
	}
	return c, nil
}

// Find returns a context: the current one when the name is empty. There is none when ok is
// false.
func (c *Contexts) Find(name string) (found Context, ok bool, err error) {
	wanted := cmp.Or(name, c.Current)
	if wanted == "" {
		return Context{}, false, nil
	}
	for _, context := range c.Contexts {
		if context.Name == wanted {
			return context, true, nil
		}
	}
	return Context{}, false, c.missing(wanted)
}

// missing is the error of a context that is not there.
func (c *Contexts) missing(name string) error {
	if len(c.Contexts) == 0 {
		return usage(fmt.Errorf("there is no context %q, and no other: 'nexus config set-context' makes one", name))
	}
	names := make([]string, len(c.Contexts))
	for i, context := range c.Contexts {
		names[i] = context.Name
	}
	return usage(fmt.Errorf("there is no context %q: there is %s", name, strings.Join(names, ", ")))
}

// Set adds a context, or replaces the one with its name. The first one becomes the current
// one.
func (c *Contexts) Set(context Context) error {
	if !contextName.MatchString(context.Name) {
		return usage(fmt.Errorf("a context cannot be called %q: use 1 to 63 letters, digits, dots, dashes and underscores", context.Name))
	}
	// What could not be called is not kept.
	client, err := NewClient(Options{Server: context.Server, MCP: context.MCPServer, CAFile: context.CAFile})
	if err != nil {
		return err
	}
	client.Close()
	at := slices.IndexFunc(c.Contexts, func(other Context) bool { return other.Name == context.Name })
	if at < 0 {
		c.Contexts = append(c.Contexts, context)
		c.Current = cmp.Or(c.Current, context.Name)
		return nil
	}
	c.Contexts[at] = context
	return nil
}

// Use makes a context the current one.
func (c *Contexts) Use(name string) error {
	if _, _, err := c.Find(name); err != nil {
		return err
	}
	c.Current = name
	return nil
}

// Delete removes a context. When it is the current one there is none afterwards.
func (c *Contexts) Delete(name string) error {
	at := slices.IndexFunc(c.Contexts, func(context Context) bool { return context.Name == name })
	if at < 0 {
		return c.missing(name)
	}
	c.Contexts = slices.Delete(c.Contexts, at, at+1)
	if c.Current == name {
		c.Current = ""
	}
	return nil
}

// Save writes the file, which nobody else can read, in one step: whoever reads it at the
// same time finds the old or the new one.
func (c *Contexts) Save() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the contexts: %w", err)
		}
	}()
	raw, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	path := c.path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved // a link stays one
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".config-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already, unless something failed
	if _, err := file.Write(raw); err != nil {
		_ = file.Close()
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// JSON is the contexts as JSON.
func (c *Contexts) JSON() ([]byte, error) {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return nil, err
	}
	raw, err = yaml.YAMLToJSON(raw)
	return bytes.TrimSpace(raw), err
}

// Rows are the contexts as a table, in which * is the current one.
func (c *Contexts) Rows() [][]string {
	rows := [][]string{{"CURRENT", "NAME", "SERVER", "TOKEN FILE"}}
	for _, context := range c.Contexts {
		mark := ""
		if context.Name == c.Current {
			mark = "*"
		}
		rows = append(rows, []string{mark, context.Name, context.Server, context.TokenFile})
	}
	return rows
}
