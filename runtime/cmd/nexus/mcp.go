package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newMCP() *cobra.Command {
	c := connection{readsInput: true, speaksMCP: true}
	stdio := false
	cmd := &cobra.Command{
		Use:   "mcp --stdio",
		Short: "Serve an app to an MCP client over standard input and output",
		Long: `Serve an app to an MCP client over standard input and output: one that a server serves, with your credential, or one
from a file. Clients that start their servers themselves, such as editors and chat programs, take it as a command.

Messages are handed on to the app's MCP endpoint, which authenticates, limits and checks each of them: /mcp at --server, or
what the context has as its MCP server. Nothing but messages is written to the standard output. The end of the input ends
every request in flight.`,
		Example: `  nexus mcp --stdio --server https://shop.example.com --token-file token
  nexus mcp --stdio -f app.yaml --secrets-dir ./secrets --token-file key`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !stdio {
				return &exitError{exitUsage, errors.New("--stdio is the only way to serve MCP here; 'nexus serve' does it over HTTP")}
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			client, closeClient, err := c.open(ctx, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer closeClient()
			err = client.Bridge(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			if errors.Is(err, errInterrupted) {
				return nil // so clients end their servers
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&stdio, "stdio", false, "speak MCP over standard input and output, one message in each line (required)")
	c.addFlags(cmd, -1)
	return cmd
}
