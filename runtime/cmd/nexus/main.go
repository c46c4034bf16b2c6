// Command nexus is the runtime in the pods of a NexusApp and the tool of people who
// write one.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// version is set when the binary is built.
var version = "dev"

// Exit codes, the same for every command.
const (
	exitFailure = cli.ExitFailure
	exitUsage   = cli.ExitUsage
	exitInvalid = cli.ExitInvalid
)

// exitError ends the program with a code. Its message has one line for each problem.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	began := false
	root := newRoot(&began) //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !began {
		err = &exitError{exitUsage, fmt.Errorf("%w: see '%s --help'", err, cmd.CommandPath())}
	}
	report(errOut, cmd, err)
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*cli.Error](err); ok {
		return e.Exit
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Op != "write" {
		return exitUsage // a file that a flag names, and that cannot be read
	}
	return exitFailure
}

// report tells of an error: in sentences, or as the problem object of the server that
// refused, where the command was told to print JSON.
func report(errOut io.Writer, cmd *cobra.Command, err error) {
	output := cmd.Flags().Lookup("output")
	if e, ok := errors.AsType[*cli.Error](err); ok && e.Problem != nil && output != nil && output.Changed && output.Value.String() == string(cli.JSON) {
		_ = cli.WriteProblem(errOut, e.Problem) // there is nowhere else to tell
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintln(errOut, "nexus: "+line)
	}
}

// newRoot sets began once a command begins: an error before that is one of usage.
func newRoot(began *bool) *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:           "nexus",
		Short:         "Serve workflows with security on by default",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return printVersion(cmd, nil)
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			// cobra asks for the same only after this.
			if err := cmp.Or(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups(), emptyFlag(cmd)); err != nil {
				return err
			}
			*began = true
			return nil
		},
	}
	// Not cobra's own flag: its template would link text/template, because of which the
	// linker keeps every method, and the program grows by half.
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.AddCommand(newList(), newInfo(), newRun(), newStatus(), newCancel(), newMCP(), newConfig(),
		newServe(), newValidate(), newVerify(), newGraph(), newKeys(), newHealth(), &cobra.Command{
			Use: "version", Short: "Print the version", Args: noArguments,
			RunE: printVersion,
		})
	return root
}

// emptyFlag refuses a flag that is given and says nothing, as an unset variable of a script
// does: without it the command would do something else than was meant.
func emptyFlag(cmd *cobra.Command) (err error) {
	if cmd.Name() == "set-context" {
		return nil // there an empty flag takes out what is kept
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" {
			err = fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name)
		}
	})
	return err
}

func printVersion(cmd *cobra.Command, _ []string) error {
	_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
	return err
}

// noArguments are the arguments of a command that has only flags.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}
