package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// runFlags are the flags of 'nexus run' besides those of the connection.
type runFlags struct {
	connection
	pairs     []string
	inputFile string
	mode, key string
	format    formatFlag
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run WORKFLOW",
		Short: "Run a workflow and print its outputs",
		Long: `Run a workflow, on a server or from a file, and print its outputs.

An input of --input is what the workflow's input schema says: text stays text, numbers, booleans, lists and objects are
written as JSON. Where the schema does not say, a value that is JSON is taken as such (5, true, null, ["a"], "5" with its
quotes), any other as text.

On a terminal the run is followed, with a line for each task on the standard error output, and the outputs are a table;
elsewhere they are JSON, and nothing is written beside them. Ctrl-C cancels the run.

The exit code says what happened: 0 it ran, 1 it failed, 2 there is no such workflow or a flag is wrong, 3 the credential
was refused, 4 a rate limit was spent, 5 the input was refused.`,
		Example: `  nexus run quote --server https://shop.example.com --token-file token --input customer=c-1 --input items='[1, 2]'
  nexus run quote --server http://shop.team-a.svc:8000 --input-file - <inputs.json
  nexus run quote -f app.yaml --input customer=c-1`,
		Args: oneWorkflow,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0])
		},
	}
	cmd.ValidArgsFunction = f.completeWorkflows
	flags := cmd.Flags()
	flags.StringArrayVar(&f.pairs, "input", nil, "NAME=VALUE; may be repeated")
	flags.StringVar(&f.inputFile, "input-file", "", "file with a JSON object of inputs, - for the standard input; --input overrides its members")
	flags.StringVar(&f.mode, "mode", "", "sync: wait; async: start it and print how it stands; stream: follow it task by task (default stream on a terminal, else sync)")
	flags.StringVar(&f.key, "idempotency-key", "", "makes the call only once, however often it is sent")
	f.addFlags(cmd, 0)
	addFormatFlag(cmd, &f.format, " (default table on a terminal, else json)")
	_ = cmd.RegisterFlagCompletionFunc("input", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("idempotency-key", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{string(cli.Sync), string(cli.Async), string(cli.Stream)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check fills in what depends on where the output goes, and checks the rest.
func (f *runFlags) check(out, errOut io.Writer) error {
	f.readsInput = f.inputFile == "-"
	if f.format == "" {
		f.format = formatFlag(cli.JSON)
		if cli.IsTerminal(out) {
			f.format = formatFlag(cli.Table)
		}
	}
	switch cli.Mode(f.mode) {
	case "":
		f.mode = string(cli.Sync)
		if cli.IsTerminal(errOut) {
			f.mode = string(cli.Stream)
		}
	case cli.Sync, cli.Stream:
	case cli.Async:
		if f.file.manifest != "" {
			return &exitError{exitUsage, errors.New("--mode async: without a server the run would end with this command: use sync or stream")}
		}
	default:
		return &exitError{exitUsage, fmt.Errorf("--mode %q is not known: use sync, async or stream", f.mode)}
	}
	return nil
}

func (f *runFlags) run(cmd *cobra.Command, workflow string) error {
	out, errOut := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := f.check(out, errOut); err != nil {
		return err
	}
	pairs, err := cli.ParsePairs(f.pairs)
	if err != nil {
		return err
	}
	return f.with(cmd, func(ctx context.Context, client *cli.Client) error {
		inputs, err := f.inputs(ctx, client, workflow, pairs, cmd.InOrStdin())
		if err != nil {
			return err
		}
		r := cli.Run{Workflow: workflow, Inputs: inputs, Mode: cli.Mode(f.mode), IdempotencyKey: f.key}
		if r.Mode == cli.Stream {
			r.Progress = cli.Progress(errOut, cli.IsTerminal(errOut) && cli.WantsColor())
		}
		result, err := client.Run(ctx, r)
		if err != nil {
			return err
		}
		return cli.WriteValue(out, cli.Format(f.format), result)
	})
}

// inputs are the JSON object of all inputs.
func (f *runFlags) inputs(ctx context.Context, client *cli.Client, workflow string, pairs []cli.Pair, in io.Reader) (json.RawMessage, error) {
	var object []byte
	if f.inputFile != "" {
		var err error
		if object, err = readInputFile(f.inputFile, in); err != nil {
			return nil, fmt.Errorf("--input-file: %w", err)
		}
		if len(bytes.TrimSpace(object)) == 0 {
			object = []byte("null") // an empty file is a mistake
		}
	}
	var inputSchema json.RawMessage
	if len(pairs) > 0 {
		described, _, err := client.Workflow(ctx, workflow)
		// Why a workflow that cannot be looked at cannot be run, if so, the run itself tells.
		if e, ok := errors.AsType[*cli.Error](err); err != nil && (!ok || e.Exit != exitUsage) {
			return nil, err
		}
		inputSchema = described.InputSchema
	}
	return cli.Inputs(inputSchema, pairs, object)
}

func readInputFile(path string, in io.Reader) ([]byte, error) {
	if path == "-" {
		return cli.ReadInputs(in)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return cli.ReadInputs(file)
}
