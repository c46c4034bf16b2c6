package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/server"
	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// askTime is how long commands wait for a server that do not run anything.
const askTime = 30 * time.Second

// connection says which app is called: one that a server serves, or one from a file.
type connection struct {
	server, context   string
	tokenFile, token  string
	caFile            string
	insecureHTTP      bool
	timeout           time.Duration
	file              serveFlags
	verbose           bool
	readsInput        bool // the command itself reads the standard input
	executionsOutlive bool // the command is about executions of other commands
	speaksMCP         bool
}

// addFlags adds the flags of a connection; timeout is how long the command waits.
func (c *connection) addFlags(cmd *cobra.Command, timeout time.Duration) {
	flags := cmd.Flags()
	flags.StringVar(&c.server, "server", "", "URL of the server, such as https://shop.example.com")
	flags.StringVar(&c.context, "context", "", "name of the context to use instead of the current one: see 'nexus config'")
	flags.StringVar(&c.tokenFile, "token-file", "", "file with a token or an API key; without it "+cli.TokenVariable+" or the context has one, or the call is anonymous")
	flags.StringVar(&c.token, "token", "", "only -: ask for the token, or read it from the standard input")
	flags.StringVar(&c.caFile, "ca-file", "", "PEM certificates of the authorities to trust instead of the system's")
	flags.BoolVar(&c.insecureHTTP, "insecure-http", false, "send the token over plain HTTP also to other machines")
	if timeout >= 0 {
		flags.DurationVar(&c.timeout, "timeout", timeout, "how long to wait; 0 is as long as it takes")
	}
	flags.StringVarP(&c.file.manifest, "filename", "f", "", "NexusApp manifest to run without a server; - is the standard input")
	flags.StringVar(&c.file.secretsDir, "secrets-dir", "/var/run/secrets/nexus", "for -f: directory with <secret>/<entry> files")
	flags.StringVar(&c.file.configMapsDir, "configmaps-dir", "", "for -f: directory with <configmap>/<entry> files")
	flags.StringVar(&c.file.clusterIssuer, "cluster-issuer", "", "for -f: see 'nexus serve --help'")
	flags.StringVar(&c.file.clusterKeys, "cluster-keys", "", "for -f: see 'nexus serve --help'")
	flags.BoolVar(&c.verbose, "verbose", false, "for -f: write warnings of the runtime to the standard error output")
	cmd.MarkFlagsMutuallyExclusive("server", "context", "filename")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	cmd.MarkFlagsRequiredTogether("cluster-issuer", "cluster-keys")
	for _, name := range []string{"server", "token", "cluster-issuer"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	_ = cmd.MarkFlagDirname("secrets-dir")
	_ = cmd.MarkFlagDirname("configmaps-dir")
	_ = cmd.RegisterFlagCompletionFunc("context", completeContexts)
}

var errInterrupted = errors.New("interrupted")

// interruptible ends with the signals that end a program, and then with errInterrupted as
// the cause.
func interruptible(ctx context.Context) (context.Context, func()) {
	signaled, stopSignals := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(ctx)
	stopAfter := context.AfterFunc(signaled, func() {
		cancel(errInterrupted)
		stopSignals() // a second signal ends the program at once
	})
	return ctx, func() {
		stopAfter()
		stopSignals()
		cancel(nil)
	}
}

// with calls do with a client, for as long as the command may take.
func (c *connection) with(cmd *cobra.Command, do func(context.Context, *cli.Client) error) error {
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	if c.timeout < 0 {
		return &exitError{exitUsage, fmt.Errorf("--timeout %s is negative", c.timeout)}
	}
	client, closeClient, err := c.open(ctx, cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer closeClient()
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("there was no answer within %s: --timeout gives it longer", c.timeout))
		defer cancel()
	}
	return do(ctx, client)
}

// open returns a client of the app that the flags name.
func (c *connection) open(ctx context.Context, in io.Reader, errOut io.Writer) (*cli.Client, func(), error) {
	if c.token != "" && c.token != "-" {
		return nil, nil, cli.ErrTokenOnCommandLine
	}
	if err := c.checkInput(); err != nil {
		return nil, nil, err
	}
	if c.file.manifest != "" {
		token, err := c.credential(ctx, "", "", in, errOut)
		if err != nil {
			return nil, nil, err
		}
		return c.openFile(ctx, token, in, errOut)
	}
	options := cli.Options{Server: c.server, CAFile: c.caFile, InsecureHTTP: c.insecureHTTP}
	tokenFile, named := "", ""
	if c.server == "" {
		found, err := c.findContext()
		if err != nil {
			return nil, nil, err
		}
		options = cli.Options{
			Server: found.Server, MCP: found.MCPServer, CAFile: cmp.Or(c.caFile, found.CAFile),
			InsecureHTTP: c.insecureHTTP || found.InsecureHTTP,
		}
		tokenFile, named = found.TokenFile, "context "+found.Name
	}
	var err error
	if options.Token, err = c.credential(ctx, named, tokenFile, in, errOut); err != nil {
		return nil, nil, err
	}
	client, err := cli.NewClient(options)
	if err != nil {
		return nil, nil, err
	}
	return client, client.Close, nil
}

// checkInput refuses to read two things from the standard input.
func (c *connection) checkInput() error {
	readers := 0
	for _, reads := range []bool{c.readsInput, c.token == "-", c.file.manifest == "-"} {
		if reads {
			readers++
		}
	}
	if readers > 1 {
		return &exitError{exitUsage, errors.New("the standard input is named twice: read one of the two from a file")}
	}
	return nil
}

// findContext returns the context to use.
func (c *connection) findContext() (cli.Context, error) {
	contexts, err := cli.LoadContexts()
	if err != nil {
		return cli.Context{}, err
	}
	found, ok, err := contexts.Find(c.context)
	if err == nil && !ok {
		err = &exitError{exitUsage, errors.New("say which app: --server URL, -f FILE, or a context that 'nexus config set-context' makes")}
	}
	return found, err
}

// credential returns the token to send, empty for none: what a flag names goes before the
// environment, and that before the context.
func (c *connection) credential(ctx context.Context, named, contextFile string, in io.Reader, errOut io.Writer) (string, error) {
	switch {
	case c.tokenFile != "":
		return cli.TokenFromFile("--token-file", c.tokenFile)
	case c.token == "-":
		return cli.AskToken(ctx, in, errOut)
	}
	if token, err := cli.TokenFromEnvironment(); err != nil || token != "" {
		return token, err
	}
	if contextFile == "" {
		return "", nil
	}
	return cli.TokenFromFile("the token file of "+named, contextFile)
}

// openFile assembles the app of a manifest in this process, as a pod would, but for the
// ports.
func (c *connection) openFile(ctx context.Context, token string, in io.Reader, errOut io.Writer) (*cli.Client, func(), error) {
	doc, hash, err := loadDocument(c.file, in)
	if err != nil {
		return nil, nil, err
	}
	if c.executionsOutlive && doc.Redis == nil {
		return nil, nil, &exitError{exitUsage, errors.New("the app has no spec.redis, so that its executions end with the process that runs them: ask the server, with --server URL")}
	}
	output := io.Discard
	if c.verbose {
		output = errOut
	}
	doc.Logging.Level, doc.Logging.Format = v1alpha1.LogWarn, v1alpha1.LogText
	s, err := server.New(ctx, server.Options{
		Document: doc, Hash: hash, SecretsDir: c.file.secretsDir, ConfigMapsDir: c.file.configMapsDir, Output: output, Version: version,
	})
	if err != nil {
		return nil, nil, err
	}
	if c.speaksMCP && s.MCPHandler() == nil {
		return nil, nil, &exitError{exitUsage, errors.New("no workflow of the app is served over MCP: see spec.workflows[].expose")}
	}
	stop := s.Local(ctx)
	client := cli.InProcess(s.Handler(), s.MCPHandler(), token)
	return client, func() {
		client.Close()
		stop()
	}, nil
}
