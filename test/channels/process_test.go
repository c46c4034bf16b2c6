package channels

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

// app is a manifest with its Secrets and ConfigMaps, and the process that serves it.
type app struct {
	name, dir string
	// api and mcp are the URLs of the two ports.
	api, mcp string
	process  *exec.Cmd
	ended    chan error

	mu   sync.Mutex
	said strings.Builder
	// more is closed, and made anew, with every line of the log.
	more chan struct{}
	// credentials are what callers present, by a name of ours.
	credentials map[string]string
}

func newApp(name string) *app {
	return &app{name: name, dir: filepath.Join(scratch, name), credentials: map[string]string{}, more: make(chan struct{}), ended: make(chan error, 1)}
}

func (a *app) path(parts ...string) string {
	return filepath.Join(append([]string{a.dir}, parts...)...)
}

// write writes a file of the app, renamed into place so that no reader sees half of it.
func (a *app) write(text string, parts ...string) error {
	path := a.path(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

// key makes an API key of a client, lets it in with these roles until expires, and notes it
// as a credential of that name.
func (a *app) key(client string, expires time.Time, roles ...string) error {
	made, err := auth.NewKey()
	if err != nil {
		return err
	}
	entry := v1alpha1.APIKeyEntry{ID: made.ID, SHA256: made.SHA256, Roles: roles, Expires: expires}
	value, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	a.credentials[client] = made.Key
	return a.write(string(value), "secrets", "keys", client)
}

// credential returns what is presented for a name; the channel stands in for {channel}.
// None is presented for the empty name.
func (a *app) credential(name, channel string) string {
	if name == "" {
		return ""
	}
	value, ok := a.credentials[strings.ReplaceAll(name, "{channel}", channel)]
	if !ok {
		panic("no credential " + name + " in the app " + a.name)
	}
	return value
}

// tokenFile writes a credential where the command line reads it.
func (a *app) tokenFile(credential string) (string, error) {
	file, err := os.CreateTemp(scratch, "token-")
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(file, credential+"\n")
	if closed := file.Close(); err == nil {
		err = closed
	}
	return file.Name(), err
}

// The line that names the addresses is logged once all ports are open: as text in
// Development, else as JSON.
var (
	serving    = regexp.MustCompile(`msg"?[=:]"?Serving\b`)
	apiAddress = regexp.MustCompile(`\bapi"?[=:]"?([0-9.]+:[0-9]+)`)
	mcpAddress = regexp.MustCompile(`\bmcp"?[=:]"?([0-9.]+:[0-9]+)`)
)

// serve serves the app until stop, and returns once it answers.
func (a *app) serve() error {
	a.process = exec.Command(binary, append([]string{"serve"}, append(a.fileArgs(), "--drain-delay", "0s", "--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")...)...)
	log, err := a.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := a.process.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(log)
	for a.mcp == "" {
		line, err := lines.ReadString('\n')
		a.note(line)
		if err != nil {
			_ = a.process.Wait()
			return fmt.Errorf("the app %s did not come to serve:\n%s", a.name, a.log())
		}
		if !serving.MatchString(line) {
			continue
		}
		api, mcp := apiAddress.FindStringSubmatch(line), mcpAddress.FindStringSubmatch(line)
		if api == nil || mcp == nil {
			return fmt.Errorf("the app %s says no addresses: %s", a.name, line)
		}
		a.api, a.mcp = "http://"+api[1], "http://"+mcp[1]
	}
	go func() {
		for {
			line, err := lines.ReadString('\n')
			a.note(line)
			if err != nil {
				break
			}
		}
		a.ended <- a.process.Wait()
	}()
	return nil
}

func (a *app) note(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said.WriteString(line)
	close(a.more)
	a.more = make(chan struct{})
}

// await returns once the log says something.
func (a *app) await(text string) error {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		a.mu.Lock()
		found, more := strings.Contains(a.said.String(), text), a.more
		a.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-deadline.C:
			return fmt.Errorf("the app %s never said %q:\n%s", a.name, text, a.log())
		}
	}
}

func (a *app) log() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said.String()
}

// stop ends the process as the kubelet would, and returns when it has ended.
func (a *app) stop() error {
	if a.mcp == "" {
		return nil // it never served
	}
	client.CloseIdleConnections() // one that was never used is waited for when a server drains
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-a.ended
}

// client follows no redirects: no channel answers with one.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
