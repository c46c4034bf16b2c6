package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

func newStatus() *cobra.Command {
	c := connection{executionsOutlive: true}
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show how your executions stand, or one of them",
		Long: `Show how your executions stand, or one of them: runs that were started with the mode async or stream.

The exit code tells whether there was an answer, not how the execution ended: --output json has its status.`,
		Example: `  nexus status --server https://shop.example.com --token-file token
  nexus status 0123456789abcdef0123456789abcdef --output json | jq -r .status`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] == "" {
				return errors.New("name one run, or none for all of yours")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, client *cli.Client) error {
				if len(args) == 0 {
					list, raw, err := client.Executions(ctx)
					if err != nil {
						return err
					}
					return format.print(cmd, raw, func() error { return cli.WriteExecutions(cmd.OutOrStdout(), list) })
				}
				one, raw, err := client.Execution(ctx, args[0])
				if err != nil {
					return err
				}
				return format.print(cmd, raw, func() error { return cli.WriteExecution(cmd.OutOrStdout(), one) })
			})
		},
	}
	cmd.ValidArgsFunction = c.completeExecutions(false)
	c.addFlags(cmd, askTime)
	addFormatFlag(cmd, &format, "")
	return cmd
}

func newCancel() *cobra.Command {
	c := connection{executionsOutlive: true}
	format := formatFlag(cli.Table)
	cmd := &cobra.Command{
		Use:     "cancel RUN",
		Short:   "Cancel one of your executions",
		Long:    "Cancel one of your executions. One that has ended already stays as it is, which is no error.",
		Example: "  nexus cancel 0123456789abcdef0123456789abcdef --server https://shop.example.com --token-file token",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return errors.New("name one run")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, client *cli.Client) error {
				e, raw, err := client.Cancel(ctx, args[0])
				if err != nil {
					return err
				}
				return format.print(cmd, raw, func() error {
					said := "is being canceled"
					if !e.Running() {
						said = "has ended: " + e.Status
					}
					_, err := fmt.Fprintln(cmd.OutOrStdout(), cli.Printable("The run "+e.ID+" of "+e.Workflow+" "+said))
					return err
				})
			})
		},
	}
	cmd.ValidArgsFunction = c.completeExecutions(true)
	c.addFlags(cmd, askTime)
	addFormatFlag(cmd, &format, "")
	return cmd
}
