package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

func newList() *cobra.Command {
	var c connection
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the workflows that you may run",
		Example: `  nexus list --server https://shop.example.com --token-file token
  nexus list -f app.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, client *cli.Client) error {
				workflows, raw, err := client.List(ctx)
				if err != nil {
					return err
				}
				return format.print(cmd, raw, func() error { return cli.WriteWorkflows(cmd.OutOrStdout(), workflows) })
			})
		},
	}
	c.addFlags(cmd, askTime)
	addFormatFlag(cmd, &format, "")
	return cmd
}

func newInfo() *cobra.Command {
	var c connection
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:   "info WORKFLOW",
		Short: "Show how a workflow is called, and what it takes and returns",
		Example: `  nexus info quote --server https://shop.example.com
  nexus info quote -f app.yaml --output json | jq .inputSchema`,
		Args: oneWorkflow,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, client *cli.Client) error {
				workflow, raw, err := client.Workflow(ctx, args[0])
				if err != nil {
					return err
				}
				return format.print(cmd, raw, func() error { return cli.WriteWorkflow(cmd.OutOrStdout(), workflow) })
			})
		},
	}
	cmd.ValidArgsFunction = c.completeWorkflows
	c.addFlags(cmd, askTime)
	addFormatFlag(cmd, &format, "")
	return cmd
}

// oneWorkflow are the arguments of a command about a workflow.
func oneWorkflow(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("name one workflow")
	}
	return nil
}
