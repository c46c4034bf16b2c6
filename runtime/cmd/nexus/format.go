package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// formats are what --output can be, where an answer is printed.
var formats = []string{string(cli.Table), string(cli.JSON), string(cli.YAML)}

// formatFlag is a --output that is checked before anything is done.
type formatFlag cli.Format

func (f *formatFlag) String() string { return string(*f) }
func (f *formatFlag) Type() string   { return "format" }

func (f *formatFlag) Set(text string) error {
	if slices.Contains(formats, text) {
		*f = formatFlag(text)
		return nil
	}
	return errors.New("use " + strings.Join(formats[:len(formats)-1], ", ") + " or " + formats[len(formats)-1])
}

// addFormatFlag adds --output. Help says what the default is, when it is not always the
// same.
func addFormatFlag(cmd *cobra.Command, format *formatFlag, usually string) {
	cmd.Flags().VarP(format, "output", "o", "table, json or yaml"+usually)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// print prints an answer: as a table by the function given, else as it came.
func (f formatFlag) print(cmd *cobra.Command, raw []byte, table func() error) error {
	if f == formatFlag(cli.Table) {
		return table()
	}
	return cli.WriteValue(cmd.OutOrStdout(), cli.Format(f), raw)
}
