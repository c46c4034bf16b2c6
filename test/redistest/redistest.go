// Package redistest runs real Redis servers for tests: alone, behind a Sentinel and as
// a cluster. They listen on the loopback interface, persist nothing and end with the
// test.
package redistest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience bounds every wait for a server.
const patience = 20 * time.Second

// Options say how a server is to run.
type Options struct {
	// TLS makes it speak nothing but TLS, to clients and to other servers, with a
	// certificate of an authority of its own.
	TLS bool
	// Users are ACL users by name and the rules that they get besides a password.
	Users map[string]string
	// Config are further lines of redis.conf.
	Config []string
	// Args are further arguments of redis-server.
	Args []string
	// authority is one that it shares with other servers.
	authority *authority
}

// Server is one Redis server.
type Server struct {
	t         testing.TB
	options   Options
	dir, port string
	passwords map[string][]string
	process   *exec.Cmd
	ended     chan struct{}
}

// Start runs a server until the test ends. The user default, who may do everything, has
// a password too.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{t: tb, options: o, dir: tb.TempDir(), passwords: map[string][]string{"default": {newPassword()}}}
	for user := range o.Users {
		s.passwords[user] = []string{newPassword()}
	}
	if o.TLS {
		if o.authority == nil {
			s.options.authority = newAuthority(tb)
		}
		s.options.authority.equip(tb, s.dir)
	}
	tb.Cleanup(s.Kill)
	const attempts = 5
	for range attempts { // the port that the kernel named may be somebody else's by now
		s.port = freePort(tb)
		if s.run() {
			return s
		}
	}
	tb.Fatalf("redis-server did not start: %s", s.log())
	return nil
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Restart runs a server that was stopped, on the same port and without its data.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if !s.run() {
		s.t.Fatalf("redis-server did not start again: %s", s.log())
	}
}

// run starts the process and tells whether it came to answer.
func (s *Server) run() bool {
	s.t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("redis-server is not installed: install Debian's package redis-server")
	}
	config := filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(config, []byte(s.config()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.process = exec.Command(binary, append([]string{config}, s.options.Args...)...)
	s.process.Dir = s.dir
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	process, ended := s.process, make(chan struct{})
	s.ended = ended
	go func() {
		_ = process.Wait() // killed, as a rule
		close(ended)
	}()
	return s.await(func() bool {
		_, err := s.command("PING")
		return err == nil
	})
}

func (s *Server) config() string {
	port := "port " + s.port
	if s.options.TLS {
		port = "port 0\ntls-auth-clients no\ntls-replication yes\ntls-cluster yes\ntls-cert-file tls.crt\ntls-key-file tls.key\ntls-ca-cert-file ca.crt\ntls-port " + s.port
	}
	lines := append([]string{
		port, "bind 127.0.0.1", "dir " + s.dir, "logfile redis.log", "save \"\"", "appendonly no", "daemonize no",
	}, s.options.Config...)
	for user, passwords := range s.passwords {
		rules := "~* &* +@all"
		if user != "default" {
			rules = s.options.Users[user]
		}
		lines = append(lines, fmt.Sprintf("user %s reset on >%s %s", user, strings.Join(passwords, " >"), rules))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *Server) log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	return string(log)
}

// Await asks until the answer is yes, and fails the test when it never is.
func (s *Server) Await(what string, ask func() bool) {
	s.t.Helper()
	if !s.await(ask) {
		s.t.Fatalf("it did not come to pass that %s: %s", what, s.log())
	}
}

func (s *Server) await(ask func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ask() {
		select {
		case <-tick.C:
		case <-s.ended:
			return false
		case <-timeout:
			return false
		}
	}
	return true
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// URL is the URL with which a user, default if empty, connects.
func (s *Server) URL(user string) string {
	return (&url.URL{Scheme: s.scheme(), User: s.userinfo(user), Host: s.Addr()}).String()
}

func (s *Server) scheme() string {
	if s.options.TLS {
		return "rediss"
	}
	return "redis"
}

func (s *Server) userinfo(user string) *url.Userinfo {
	if user == "" {
		user = "default"
	}
	passwords := s.passwords[user]
	return url.UserPassword(user, passwords[len(passwords)-1])
}

// CA is the PEM certificate of the authority that issued the server's.
func (s *Server) CA() []byte { return s.options.authority.pem }

// SetPassword makes these the passwords of a user, all of them valid; URL then has the
// last one.
func (s *Server) SetPassword(user string, passwords ...string) {
	s.t.Helper()
	args := []string{"ACL", "SETUSER", user, "resetpass"}
	for _, p := range passwords {
		args = append(args, ">"+p)
	}
	s.Command(args...)
	s.passwords[user] = passwords
}

// Passwords are the passwords of a user.
func (s *Server) Passwords(user string) []string { return slices.Clone(s.passwords[user]) }

// Kill ends the server at once, as a crash does; it may be paused.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop has the server end by itself.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(signal) // it may have ended already
	<-s.ended
}

// Pause makes the server hang: connections stay, and nothing is answered.
func (s *Server) Pause() { _ = s.process.Process.Signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (s *Server) Resume() { _ = s.process.Process.Signal(syscall.SIGCONT) }

// Command runs a command as the user default; of an array it returns a line for each
// element.
func (s *Server) Command(args ...string) string {
	s.t.Helper()
	answer, err := s.command(args...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", args[0], args[1:min(2, len(args))], err)
	}
	return answer
}

func (s *Server) command(args ...string) (string, error) {
	passwords := s.passwords["default"]
	options := rueidis.ClientOption{
		InitAddress: []string{s.Addr()}, Username: "default", Password: passwords[len(passwords)-1],
		ForceSingleClient: true, DisableCache: true, DisableRetry: true, PipelineMultiplex: -1,
		ClientSetInfo: rueidis.DisableClientSetInfo, Dialer: net.Dialer{Timeout: time.Second},
	}
	if s.options.TLS {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.CA())
		options.TLSConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client, err := rueidis.NewClient(options)
	if client != nil {
		defer client.Close()
	}
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := client.Do(ctx, client.B().Arbitrary(args...).Build()).ToAny()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return text(answer), err
}

func text(answer any) string {
	list, ok := answer.([]any)
	if !ok {
		return fmt.Sprint(answer)
	}
	lines := make([]string, len(list))
	for i, element := range list {
		lines[i] = text(element)
	}
	return strings.Join(lines, "\n")
}
