package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// command calls with 'nexus run': a server or, without one, the app from its file.
type command struct{ file bool }

func (k command) call(t *testing.T, c call) verdict {
	t.Helper()
	args := append([]string{"run", c.workflow, "--input-file", "-", "--output", "json"}, k.app(t, c)...)
	if c.key != "" {
		args = append(args, "--idempotency-key", c.key)
	}
	switch {
	case c.async:
		args = append(args, "--mode", "async")
	case c.stream:
		args = append(args, "--mode", "stream")
	}
	got := execute(t, c.inputs, args...)
	if c.stream { // which writes a line for each task before whatever else there is
		told := bytes.Index(append([]byte("\n"), got.errOut...), []byte("\n{"))
		if told < 0 {
			told = len(got.errOut)
		}
		if told == 0 && c.workflow == "echo" && got.exit == 0 {
			t.Error("nothing was told of the tasks")
		}
		got.errOut = got.errOut[told:]
	}
	if got.exit != 0 {
		return readCommandProblem(t, got)
	}
	if len(got.errOut) > 0 {
		t.Errorf("a run that succeeded has written %q", got.errOut)
	}
	if !c.async {
		return succeeded(t, got.out, got.out)
	}
	var e execution
	if err := json.Unmarshal(got.out, &e); err != nil || e.ID == "" {
		t.Fatalf("no execution: %s", got.out)
	}
	return awaitEnd(t, func() []byte {
		status := execute(t, "", append([]string{"status", e.ID, "--output", "json"}, k.app(t, c)...)...)
		if status.exit != 0 {
			t.Fatalf("nexus status ends with %d: %s", status.exit, status.errOut)
		}
		return status.out
	})
}

// app are the arguments that name the app, and who calls it.
func (k command) app(t *testing.T, c call) []string {
	t.Helper()
	if !k.file {
		return append(c.tokenArgs(t), "--server", c.app.api)
	}
	return append(c.tokenArgs(t), c.app.fileArgs()...)
}

// fileArgs are the arguments that name the app's file, and what stands beside it.
func (a *app) fileArgs() []string {
	return []string{"-f", a.path("app.yaml"), "--secrets-dir", a.path("secrets"), "--configmaps-dir", a.path("configmaps")}
}

// tokenArgs are the arguments that name the caller's credential.
func (c call) tokenArgs(t *testing.T) []string {
	t.Helper()
	if c.token == "" {
		return nil
	}
	file, err := c.app.tokenFile(c.token)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--token-file", file}
}

// result is what a process wrote, and its exit code.
type result struct {
	exit        int
	out, errOut []byte
}

// environment is that of the tests, without the settings of whoever runs them.
func environment() []string {
	kept := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NEXUS_") })
	return append(kept, "NEXUS_CONFIG="+scratch+"/no-contexts.yaml")
}

func execute(t *testing.T, input string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	process := exec.CommandContext(ctx, binary, args...)
	var out, errOut bytes.Buffer
	process.Env, process.Stdin, process.Stdout, process.Stderr = environment(), strings.NewReader(input), &out, &errOut
	err := process.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		t.Fatalf("nexus %v: %v", args, err)
	}
	return result{process.ProcessState.ExitCode(), out.Bytes(), errOut.Bytes()}
}

// readCommandProblem reads the problem that a command was refused with, and checks the exit
// code.
func readCommandProblem(t *testing.T, got result) verdict {
	t.Helper()
	if len(got.out) > 0 {
		t.Errorf("a refused run has written %q", brief(string(got.out)))
	}
	if !bytes.HasPrefix(got.errOut, []byte("{")) {
		t.Fatalf("no problem object but exit code %d and %q", got.exit, brief(string(got.errOut)))
	}
	p := readClientProblem(t, got.errOut)
	if got.exit != forms[p.Code].exit {
		t.Errorf("the exit code of %s is %d, want %d", p.Code, got.exit, forms[p.Code].exit)
	}
	return refused(p, p.RetryAfter, got.errOut)
}
