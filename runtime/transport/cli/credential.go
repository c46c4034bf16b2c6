package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// TokenVariable is the environment variable with a token or an API key.
const TokenVariable = "NEXUS_TOKEN"

// maxTokenBytes bounds what is read as a token: more fits into no request.
const maxTokenBytes = 16 << 10

// TokenFromFile reads a token, or an API key, from a file. name says in errors who named
// the file.
func TokenFromFile(name, path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	return readToken(fmt.Sprintf("%s: %s", name, path), file)
}

// TokenFromEnvironment returns the token of the environment; empty when there is none.
func TokenFromEnvironment() (string, error) {
	value := os.Getenv(TokenVariable)
	if strings.TrimSpace(value) == "" {
		return "", nil
	}
	return readToken(TokenVariable, strings.NewReader(value))
}

// AskToken reads a token from the input. On a terminal it asks for it, and what is typed
// is not shown; the end of the context ends the asking.
func AskToken(ctx context.Context, in io.Reader, errOut io.Writer) (string, error) {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return readToken("--token: the standard input", in)
	}
	terminal := int(file.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	_, _ = fmt.Fprint(errOut, "Token or API key: ")
	defer func() { _, _ = fmt.Fprintln(errOut) }()
	type answer struct {
		typed []byte
		err   error
	}
	answers := make(chan answer, 1)
	// A read of a terminal cannot be interrupted: it is left behind, and ends with the
	// process.
	go func() {
		typed, err := term.ReadPassword(terminal)
		answers <- answer{typed, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(terminal, before) // else what is typed stays hidden
		return "", context.Cause(ctx)
	case a := <-answers:
		if a.err != nil {
			return "", fmt.Errorf("reading the token: %w", a.err)
		}
		return readToken("--token: what was typed", bytes.NewReader(a.typed))
	}
}

// readToken reads one word. No error holds it.
func readToken(what string, from io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(from, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	bad := func(r rune) bool { return unicode.IsSpace(r) || r < ' ' || r > '~' }
	if token == "" || len(token) > maxTokenBytes || strings.ContainsFunc(token, bad) {
		return "", usage(fmt.Errorf("%s does not hold one token", what))
	}
	return token, nil
}

// ErrTokenOnCommandLine says why a token is not taken from the command line. It does not
// repeat it.
var ErrTokenOnCommandLine = &Error{Exit: ExitUsage, Err: errors.New("--token takes no token, which every user of this machine could read in the list of processes: " +
	"give --token-file FILE, set " + TokenVariable + ", or write --token - to be asked for it")}
