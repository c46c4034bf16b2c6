package server

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// listening is a listener that has an address and no port.
type listening struct {
	net.Listener
	ip net.IP
}

func (l listening) Addr() net.Addr { return &net.TCPAddr{IP: l.ip, Port: 8000} }

func TestWarnOfOpenDoor(t *testing.T) {
	for _, c := range []struct {
		ip   string
		mode v1alpha1.AuthMode
		want int
	}{
		{"::", v1alpha1.AuthDisabled, 1},
		{"0.0.0.0", v1alpha1.AuthDisabled, 1},
		{"192.0.2.1", v1alpha1.AuthDisabled, 1},
		{"127.0.0.1", v1alpha1.AuthDisabled, 0},
		{"::1", v1alpha1.AuthDisabled, 0},
		{"::", v1alpha1.AuthRequired, 0},
	} {
		var out bytes.Buffer
		s := &Server{api: listening{ip: net.ParseIP(c.ip)}, log: slog.New(slog.NewTextHandler(&out, nil))}
		s.options.Document.Auth.Mode = c.mode
		s.warnOfOpenDoor()
		if got := strings.Count(out.String(), "\n"); got != c.want || c.want > 0 && !strings.Contains(out.String(), "--api-addr 127.0.0.1:8000") {
			t.Errorf("%s, %s: %s", c.ip, c.mode, &out)
		}
	}
	var out bytes.Buffer
	s := &Server{api: listening{ip: net.ParseIP("127.0.0.1")}, mcpPort: listening{ip: net.ParseIP("::")}, log: slog.New(slog.NewTextHandler(&out, nil))}
	s.options.Document.Auth.Mode = v1alpha1.AuthDisabled
	if s.warnOfOpenDoor(); strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "--mcp-addr 127.0.0.1:3001") {
		t.Errorf("the port of MCP alone: %s", &out)
	}
}
