package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Keep the servers that you call, by name",
		Long: `Keep the servers that you call, by name, in $XDG_CONFIG_HOME/nexus/config.yaml (or what ` + cli.ConfigVariable + ` names), which only you
can read. The file names the files that tokens are in; a token itself is never in it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSetContext(), newUseContext(), newGetContexts(), newDeleteContext())
	return cmd
}

func newSetContext() *cobra.Command {
	var set cli.Context
	cmd := &cobra.Command{
		Use:   "set-context NAME",
		Short: "Add a context, or change what is given of one",
		Long:  "Add a context, or change what is given of one. The first context becomes the current one.",
		Example: `  nexus config set-context shop --server https://shop.example.com --token-file ~/.config/nexus/shop.token
  nexus config set-context local --server http://127.0.0.1:8000 --mcp-server http://127.0.0.1:3001`,
		Args:              oneContext,
		ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd, func(contexts *cli.Contexts) (string, error) {
				set.Name = args[0]
				merged, err := mergedContext(cmd, contexts, set)
				if err != nil {
					return "", err
				}
				return fmt.Sprintf("Context %q is set.", set.Name), contexts.Set(merged)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&set.Server, "server", "", "URL of the server, such as https://shop.example.com")
	flags.StringVar(&set.MCPServer, "mcp-server", "", "URL of the server with the MCP endpoint, when it is another one")
	flags.StringVar(&set.TokenFile, "token-file", "", "file with a token or an API key; it is read with each call")
	flags.StringVar(&set.CAFile, "ca-file", "", "PEM certificates of the authorities to trust instead of the system's")
	flags.BoolVar(&set.InsecureHTTP, "insecure-http", false, "send the token over plain HTTP also to other machines")
	return cmd
}

// mergedContext is the context as it was, with what the flags give in its place. Files are
// found from wherever the context is used.
func mergedContext(cmd *cobra.Command, contexts *cli.Contexts, set cli.Context) (cli.Context, error) {
	merged := cli.Context{Name: set.Name}
	for _, c := range contexts.Contexts {
		if c.Name == set.Name {
			merged = c
		}
	}
	given := cmd.Flags().Changed
	for _, field := range []struct {
		flag     string
		to       *string
		value    string
		fromHere bool
	}{
		{"server", &merged.Server, set.Server, false}, {"mcp-server", &merged.MCPServer, set.MCPServer, false},
		{"token-file", &merged.TokenFile, set.TokenFile, true}, {"ca-file", &merged.CAFile, set.CAFile, true},
	} {
		if !given(field.flag) {
			continue
		}
		*field.to = field.value
		if field.fromHere && field.value != "" {
			path, err := filepath.Abs(field.value)
			if err != nil {
				return cli.Context{}, fmt.Errorf("--%s: %w", field.flag, err)
			}
			*field.to = path
		}
	}
	if given("insecure-http") {
		merged.InsecureHTTP = set.InsecureHTTP
	}
	return merged, nil
}

func newUseContext() *cobra.Command {
	return &cobra.Command{
		Use:               "use-context NAME",
		Short:             "Make a context the current one",
		Args:              oneContext,
		ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd, func(contexts *cli.Contexts) (string, error) {
				return fmt.Sprintf("Context %q is the current one.", args[0]), contexts.Use(args[0])
			})
		},
	}
}

func newDeleteContext() *cobra.Command {
	return &cobra.Command{
		Use:               "delete-context NAME",
		Short:             "Forget a context; its token file stays",
		Args:              oneContext,
		ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return change(cmd, func(contexts *cli.Contexts) (string, error) {
				return fmt.Sprintf("Context %q is deleted.", args[0]), contexts.Delete(args[0])
			})
		},
	}
}

func newGetContexts() *cobra.Command {
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:   "get-contexts",
		Short: "List the contexts",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			contexts, err := cli.LoadContexts()
			if err != nil {
				return err
			}
			raw, err := contexts.JSON()
			if err != nil {
				return fmt.Errorf("writing the contexts: %w", err)
			}
			return format.print(cmd, raw, func() error { return cli.WriteTable(cmd.OutOrStdout(), contexts.Rows()) })
		},
	}
	addFormatFlag(cmd, &format, "")
	return cmd
}

// change changes the file of contexts, and says what it did.
func change(cmd *cobra.Command, do func(*cli.Contexts) (said string, err error)) error {
	contexts, err := cli.LoadContexts()
	if err != nil {
		return err
	}
	said, err := do(contexts)
	if err != nil {
		return err
	}
	if err := contexts.Save(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
	return err
}

func oneContext(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("name one context")
	}
	return nil
}
