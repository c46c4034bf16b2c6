// Package channels makes the same calls over every channel and expects the same verdict:
// over REST, MCP in both of its kinds of revisions and over WebSocket, standard input and
// output, and the command line, with a server and without one. The runtime is the program
// as it is shipped, in processes of its own.
package channels

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	// binary is the program, and scratch a directory for what the tests write.
	binary, scratch string
	// apps are the apps that are served, by name.
	apps map[string]*app
	// external are the services that the apps call.
	external *services
)

// TestMain builds the program once, as it is shipped, without the race detector, and serves
// every app while the tests run.
func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nexus-channels-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	scratch, binary = dir, filepath.Join(dir, "nexus")
	build := exec.Command("go", "build", "-o", binary, "./runtime/cmd/nexus")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building nexus: %v\n%s", err, out)
		return 1
	}
	log.SetOutput(io.Discard) // a command that ends closes its connections to the issuer without a word
	external = newServices()
	defer external.close()
	code := 1
	// A channel mostly awaits processes and timeouts.
	if err := flag.Set("test.parallel", fmt.Sprint(len(channels))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if apps, err = serveAll(external); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	for _, line := range []*stdio{lineDated, lineStateless, lineFile} {
		line.close()
	}
	for _, a := range apps {
		if err := a.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "the app %s ended with %v\n%s", a.name, err, a.log())
			code = 1
		} else if code != 0 && testing.Verbose() {
			fmt.Fprintf(os.Stderr, "log of the app %s:\n%s", a.name, a.log())
		}
	}
	return code
}
