package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// maxReplyBytes bounds what is read of a reply; workflows answer with far less.
const maxReplyBytes = 64 << 20

// remote is a call of a workflow that a server runs.
type remote struct {
	server, tokenFile, caFile string
	timeout                   time.Duration
}

func newRun() *cobra.Command {
	var r remote
	var pairs []string
	var inputFile string
	cmd := &cobra.Command{
		Use:   "run WORKFLOW --server URL",
		Short: "Run a workflow on a server and print its outputs as JSON",
		Long: `Run a workflow on a server and print its outputs as JSON.

A value of --input that is JSON is taken as such (5, true, null, ["a"], {"a": 1}, "5" with its quotes), any other as text.
The exit code says what happened: 0 it ran, 1 it failed, 2 there is no such workflow or a flag is wrong, 3 the credential
was refused, 4 a rate limit was spent, 5 the input was refused.`,
		Example: `  nexus run quote --server https://shop.example.com --token-file token --input customer=c-1 --input items='[1, 2]'
  nexus run quote --server http://shop.team-a.svc:8000 --input-file - <inputs.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one workflow")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			inputs, err := readInputs(inputFile, cmd.InOrStdin(), pairs)
			if err != nil {
				return err
			}
			outputs, err := r.run(cmd.Context(), args[0], inputs)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), outputs)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.server, "server", "", "URL of the server, such as https://shop.example.com (required)")
	flags.StringVar(&r.tokenFile, "token-file", "", "file with a token or an API key; without it the call is anonymous")
	flags.StringVar(&r.caFile, "ca-file", "", "PEM certificates of the authorities to trust instead of the system's")
	flags.DurationVar(&r.timeout, "timeout", time.Minute, "how long to wait for the outputs")
	flags.StringArrayVar(&pairs, "input", nil, "NAME=VALUE; may be repeated")
	flags.StringVar(&inputFile, "input-file", "", "file with a JSON object of inputs, - for standard input; --input overrides its entries")
	_ = cmd.MarkFlagRequired("server")
	return cmd
}

// readInputs returns the inputs as a JSON object.
func readInputs(file string, stdin io.Reader, pairs []string) (json.RawMessage, error) {
	inputs := map[string]json.RawMessage{}
	if file != "" {
		raw, err := readFileOr(file, stdin)
		if err != nil {
			return nil, fmt.Errorf("--input-file: %w", err)
		}
		if err := json.Unmarshal(raw, &inputs); err != nil || inputs == nil {
			return nil, &exitError{exitInvalid, fmt.Errorf("--input-file: %s does not hold a JSON object", file)}
		}
	}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, &exitError{exitUsage, fmt.Errorf("--input %q: write NAME=VALUE", pair)}
		}
		inputs[name] = json.RawMessage(value)
		if !json.Valid(inputs[name]) {
			text, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("--input %s: %w", name, err)
			}
			inputs[name] = text
		}
	}
	return json.Marshal(inputs)
}

func readFileOr(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// run calls the workflow and returns its outputs, as indented JSON.
func (r *remote) run(ctx context.Context, workflow string, inputs json.RawMessage) (string, error) {
	req, err := r.request(ctx, workflow, inputs)
	if err != nil {
		return "", err
	}
	client, err := r.client()
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("calling the server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes))
	if err != nil {
		return "", fmt.Errorf("reading the reply: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", refusal(res, body)
	}
	var reply struct {
		Outputs json.RawMessage `json:"outputs"`
	}
	var out bytes.Buffer
	if err := json.Unmarshal(body, &reply); err != nil || json.Indent(&out, reply.Outputs, "", "  ") != nil {
		return "", fmt.Errorf("%s does not answer like a Nexus server: is --server right?", req.URL.Redacted())
	}
	return out.String(), nil
}

func (r *remote) request(ctx context.Context, workflow string, inputs json.RawMessage) (*http.Request, error) {
	server, err := url.Parse(r.server)
	if err != nil || server.Host == "" || server.User != nil || server.RawQuery != "" || server.Scheme != "http" && server.Scheme != "https" {
		return nil, &exitError{exitUsage, errors.New("--server: write the server's URL, such as https://shop.example.com, without user and query")}
	}
	body, err := json.Marshal(map[string]json.RawMessage{"inputs": inputs})
	if err != nil {
		return nil, fmt.Errorf("encoding the inputs: %w", err)
	}
	at := strings.TrimSuffix(server.String(), "/") + "/workflows/" + url.PathEscape(workflow) + "/execute"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--server: %w", err)}
	}
	req.Header.Set("Content-Type", "application/json")
	if r.tokenFile == "" {
		return req, nil
	}
	// A token is read from a file: what stands on a command line is seen by every user
	// of the machine.
	token, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if token = bytes.TrimSpace(token); len(token) == 0 || bytes.ContainsFunc(token, unicode.IsSpace) {
		return nil, &exitError{exitUsage, fmt.Errorf("--token-file: %s does not hold one token", r.tokenFile)}
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	return req, nil
}

func (r *remote) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if r.caFile != "" {
		pem, err := os.ReadFile(r.caFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, &exitError{exitUsage, fmt.Errorf("--ca-file: no PEM certificate in %s", r.caFile)}
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: transport, Timeout: r.timeout,
		// Inputs and token go to the server that was named, and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// exitCodes are the exit codes of refusals; every other code is a failure.
var exitCodes = map[fault.Code]int{
	fault.WorkflowNotFound: exitUsage,
	fault.Unauthenticated:  exitDenied,
	fault.Forbidden:        exitDenied,
	fault.RateLimited:      exitLimited,
	fault.InvalidInput:     exitInvalid,
	fault.SchemaViolation:  exitInvalid,
	fault.BodyTooLarge:     exitInvalid,
}

// refusal makes an error of a reply that is not 200.
func refusal(res *http.Response, body []byte) error {
	var p struct {
		Code       fault.Code        `json:"code"`
		Detail     string            `json:"detail"`
		RequestID  string            `json:"requestId"`
		Violations []fault.Violation `json:"violations"`
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	hint := ""
	if res.StatusCode == http.StatusUnauthorized && res.Request.Header.Get("Authorization") == "" {
		hint = "no credential was sent: give --token-file a file with a token or an API key"
	}
	if media != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Code == "" {
		text := fmt.Sprintf("%s answers %s", res.Request.URL.Redacted(), res.Status)
		if location := res.Header.Get("Location"); location != "" {
			text += ", with a redirect to " + location + ": redirects are not followed"
		}
		if hint != "" {
			text += ": " + hint
		}
		return errors.New(printable(text))
	}
	lines := []string{fmt.Sprintf("%s: %s (%d, request %s)", p.Code, p.Detail, res.StatusCode, p.RequestID)}
	for _, v := range p.Violations {
		lines = append(lines, fmt.Sprintf("  %s: %s", cmp.Or(v.Pointer, "at the root"), v.Message))
	}
	if hint != "" {
		lines = append(lines, "  "+hint)
	}
	if after := res.Header.Get("Retry-After"); after != "" {
		lines = append(lines, "  try again in "+after+" s")
	}
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	code, known := exitCodes[p.Code]
	if !known {
		code = exitFailure
	}
	return &exitError{code, errors.New(strings.Join(lines, "\n"))}
}

// printable takes out of a server's text what a terminal would act on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
