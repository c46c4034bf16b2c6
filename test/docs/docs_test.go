// Package docs runs the commands of the documentation, as a reader would type them.
package docs

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const root = "../.."

var block = regexp.MustCompile("(?ms)^```(sh|mermaid)\n(.*?)^```$")

// TestCommands runs every sh block of a page, one after the other in one shell, in an
// empty directory. A line "# → TEXT" is what the command before it prints, and so is a
// picture that follows the block.
func TestCommands(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "nexus"), "./runtime/cmd/nexus")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building nexus: %v\n%s", err, out)
	}
	for page, needs := range map[string]struct{ cluster bool }{
		"auth.md": {cluster: true}, "limits.md": {}, "workflows.md": {}, "graph.md": {}, "mcp.md": {}, "cli.md": {},
	} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			path, environment := bin, []string{"HOME=" + t.TempDir()}
			if needs.cluster {
				assets, kubeconfig := startAPIServer(t)
				path, environment = path+":"+assets, append(environment, "KUBECONFIG="+kubeconfig)
			}
			run(t, withFreePorts(t, script(t, string(text))), append(environment, "PATH="+path+":"+os.Getenv("PATH")))
		})
	}
}

// script is the sh blocks of a page as one script that checks what they print.
func script(t *testing.T, page string) string {
	t.Helper()
	var out strings.Builder
	out.WriteString(prologue)
	expectations := 0
	command := "" // the last command, which may go on over lines
	expect := func(want string) {
		expectations++
		fmt.Fprintf(&out, "check %s \"$(%s)\"\n", quoted(strings.TrimSpace(want)), strings.TrimRight(command, "\n"))
		command = ""
	}
	for _, block := range block.FindAllStringSubmatch(page, -1) {
		if block[1] == "mermaid" {
			expect(block[2])
			continue
		}
		for line := range strings.Lines(block[2]) {
			if want, expected := strings.CutPrefix(line, "# → "); expected {
				expect(want)
				continue
			}
			if !strings.HasSuffix(command, "\\\n") {
				out.WriteString(command)
				command = ""
			}
			command += line
		}
	}
	out.WriteString(command)
	if expectations == 0 {
		t.Fatal("the page says of no command what it prints: is the pattern still right?")
	}
	return out.String()
}

const prologue = `set -euo pipefail
trap 'jobs=$(jobs -p); [ -z "$jobs" ] || { kill $jobs 2>/dev/null; wait; } || true' EXIT
check() { [ "$1" = "$2" ] || { printf 'the page says: %s\nprinted was:   %s\n' "$1" "$2" >&2; exit 1; }; }
`

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// withFreePorts replaces the ports of the page, which may be taken here.
func withFreePorts(t *testing.T, script string) string {
	t.Helper()
	for _, port := range []string{"8000", "8001", "8002", "3001", "3002", "9090", "9091", "9092", "6399"} {
		address := "127.0.0.1:" + port
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all of them after all have been chosen
		script = strings.ReplaceAll(script, address, l.Addr().String())
	}
	return script
}

func run(t *testing.T, script string, environment []string) {
	t.Helper()
	// No page takes longer, unless a command waits for something that never comes.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	bash := exec.CommandContext(ctx, "bash", "-c", script)
	bash.WaitDelay = 20 * time.Second
	bash.Dir = t.TempDir()
	bash.Env = environment
	if out, err := bash.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(bash.Dir, "log.jsonl"))
		t.Errorf("%v\n%s\nlog of the runtime:\n%s\nthe script:\n%s", err, out, log, script)
	}
}

// startAPIServer starts an API server with the CRD, and returns the directory with
// kubectl and the kubeconfig.
func startAPIServer(t *testing.T) (assets, kubeconfig string) {
	t.Helper()
	if assets = os.Getenv("KUBEBUILDER_ASSETS"); assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run 'make test', or set it to what 'hack/cluster/cluster assets' prints")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(root, "config/crd/bases")}, ErrorIfCRDPathMissing: true}
	if _, err := env.Start(); err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	user, err := env.AddUser(envtest.User{Name: "reader", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return assets, kubeconfig
}
