package story

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// forwarded is what 'kubectl port-forward' says once it listens.
var forwarded = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) -> `)

// forward makes a port of an app's Service one of this machine, as people do who try an app
// out, and returns its URL. It works with every cluster.
func (e *Env) forward(ctx context.Context, app, port string) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, e.Kubectl, "port-forward", "--address", "127.0.0.1", "-n", Namespace, "service/"+app, ":"+port)
	cmd.Dir = e.Root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.Kubeconfig)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("forwarding port %s of %s: %w", port, app, err)
	}
	stop = func() {
		cancel()
		_ = cmd.Wait() // it was killed, and says so
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	match := forwarded.FindStringSubmatch(line)
	if match == nil {
		stop()
		return "", nil, fmt.Errorf("forwarding port %s of %s: %w, with %q\n%s", port, app, errors.Join(err, errors.New("no address was told")), line, tail(errs.String(), 500))
	}
	// It tells of each connection; what nobody reads would make it wait.
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return "http://" + match[1], stop, nil
}

// commandLine is bin/nexus as a user runs it: with the key in a file, and nothing of this
// machine's own settings.
type commandLine struct {
	e       *Env
	home    string
	keyFile string
	url     string
}

// newCommandLine forwards a port and writes the key. Who calls it calls done.
func (e *Env) newCommandLine(ctx context.Context, app, port, client string) (c *commandLine, done func(), err error) {
	home, err := os.MkdirTemp("", "nexus-story-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(home) } // in the folder for what does not last
	c = &commandLine{e: e, home: home, keyFile: filepath.Join(home, "key")}
	if err := os.WriteFile(c.keyFile, []byte(e.keys[client]+"\n"), 0o600); err != nil {
		remove()
		return nil, nil, err
	}
	url, stop, err := e.forward(ctx, app, port)
	if err != nil {
		remove()
		return nil, nil, err
	}
	c.url = url
	return c, func() {
		stop()
		remove()
	}, nil
}

func (c *commandLine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.e.Nexus, append(args, "--server", c.url)...)
	cmd.Dir = c.e.Root
	cmd.Env = []string{"HOME=" + c.home}
	return cmd
}

// run returns the exit code, and what was printed: to the standard output when it is 0, else
// to the standard error output.
func (c *commandLine) run(ctx context.Context, args ...string) (code int, said string, err error) {
	cmd := c.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), errs.String(), nil
	}
	return 0, out.String(), err
}

// commandCalls are calls of the command line. KEY stands for the file with the key.
var commandCalls = []struct {
	args []string
	exit int
	said string
}{
	{[]string{"list", "--token-file", "KEY"}, 0, "quote-order"},
	{[]string{"run", "quote-order", "--token-file", "KEY", "--input", "customerId=c-6", "--input", `items=[{"sku": "ABC", "qty": 2}]`}, 0, `"total": 60`},
	{[]string{"run", "quote-order", "--input", "customerId=c-6"}, 3, "unauthenticated"},
	{[]string{"run", "quote-order", "--token-file", "KEY", "--input", "customerId=c-6", "--input", "items=[]"}, 5, "/items"},
	{[]string{"run", "quotes", "--token-file", "KEY"}, 2, "workflow_not_found"},
	{[]string{"run", "quote-order", "--token-file", "KEY", "--input", "customerId=risky-8", "--input", `items=[{"sku": "ABC", "qty": 1}]`}, 1, "Order cannot be quoted"},
}

// checkCommandLine runs the workflow as a script would, and compares exit codes.
func checkCommandLine(ctx context.Context, e *Env) (string, error) {
	c, done, err := e.newCommandLine(ctx, quotesApp, portAPI, "agent")
	if err != nil {
		return "", err
	}
	defer done()
	for _, call := range commandCalls {
		args := slices.Clone(call.args)
		if at := slices.Index(args, "KEY"); at >= 0 {
			args[at] = c.keyFile
		}
		code, said, err := c.run(ctx, args...)
		if err != nil {
			return "", err
		}
		if code != call.exit || !strings.Contains(said, call.said) {
			return "", fmt.Errorf("nexus %s: exit code %d, want %d and %s in: %s", strings.Join(call.args, " "), code, call.exit, call.said, tail(said, 300))
		}
	}
	return "list and run with a key exit with 0, without one with 3, a refused input with 5, no such workflow with 2, the workflow's own error with 1", nil
}

// checkStdio starts 'nexus mcp --stdio' as editors do, and calls the workflow through it.
func checkStdio(ctx context.Context, e *Env) (string, error) {
	c, done, err := e.newCommandLine(ctx, quotesApp, portMCP, "agent")
	if err != nil {
		return "", err
	}
	defer done()
	var errs bytes.Buffer
	cmd := c.command(ctx, "mcp", "--stdio", "--token-file", c.keyFile)
	cmd.Stderr = &errs
	session, err := newMCPClient(nil).Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, tail(errs.String(), 500))
	}
	names, err := toolNames(ctx, session)
	var result *mcp.CallToolResult
	if err == nil {
		result, err = session.CallTool(ctx, &mcp.CallToolParams{Name: "quote-order", Arguments: json.RawMessage(`{"customerId": "c-7", "items": [{"sku": "ABC", "qty": 1}]}`)})
	}
	if err := errors.Join(err, session.Close()); err != nil {
		return "", fmt.Errorf("%w\n%s", err, tail(errs.String(), 500))
	}
	output, _ := result.StructuredContent.(map[string]any)
	if !slices.Equal(names, []string{"quote-order"}) || output["total"] != 30.0 {
		return "", fmt.Errorf("the tools are %v, and a call got %s", names, asJSON(result))
	}
	return "nexus mcp --stdio lists quote-order and runs it: a total of 30", nil
}
