package cluster

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

func TestIsOurShim(t *testing.T) {
	const shim = "/cache/containerd-shim-runc-v2"
	tests := []struct {
		name string
		args []string
		want bool
	}{
		{"ours", []string{shim, "-namespace", "k8s.io", "-id", "x", "-address", containerdSocket}, true},
		{"another containerd's", []string{shim, "-namespace", "moby", "-address", "/run/containerd/containerd.sock"}, false},
		{"another program with our socket", []string{"/usr/bin/vi", "-address", containerdSocket}, false},
		{"cut off", []string{shim, "-address"}, false},
		{"no arguments", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isOurShim(tt.args); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTemplatesAreFilledIn(t *testing.T) {
	v := values{State: "/state", Network: network, MTU: 1400, Upstreams: "192.0.2.1", PodCIDR: layout.PodCIDR,
		ClusterDomain: layout.ClusterDomain, Corefile: "a: {\n  \"b\"\n}\n"}
	entries, err := files.ReadDir("files")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			out, err := render(entry.Name(), v)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(out), "{{") {
				t.Errorf("not filled in:\n%s", out)
			}
			if entry.Name() == "cni.conflist" && !json.Valid(out) {
				t.Errorf("not JSON:\n%s", out)
			}
		})
	}
}

func TestCorefileWithoutUpstreams(t *testing.T) {
	out, err := render("Corefile", values{ClusterDomain: layout.ClusterDomain})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "forward") {
		t.Errorf("a machine without DNS servers is asked to forward:\n%s", out)
	}
}

func TestSpecFollowsItsInputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	p := component{name: "x", args: []string{"x"}, inputs: []string{file}}
	spec := func(content string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := p.spec()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := spec("one")
	if spec("one") != one {
		t.Error("the same input gave two digests")
	}
	if spec("two") == one {
		t.Error("a changed file gave the same digest")
	}
	p.args = []string{"x", "--flag"}
	if spec("one") == one {
		t.Error("a changed argument gave the same digest")
	}
}

func TestRemoveStateLeavesForeignDirectoriesAlone(t *testing.T) {
	dir := t.TempDir()
	c := New(layout.Layout{State: dir}, progress.New(os.Stderr, "test"))
	if err := c.removeState(); err == nil || !exists(dir) {
		t.Fatalf("a directory without the marker: error %v, exists %v", err, exists(dir))
	}
	if err := os.WriteFile(filepath.Join(dir, marker), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.removeState(); err != nil || exists(dir) {
		t.Fatalf("a directory with the marker: error %v, exists %v", err, exists(dir))
	}
}
