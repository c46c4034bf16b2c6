package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// completeTime is how long a shell waits for completions.
const completeTime = 3 * time.Second

// completeWorkflows completes the name of a workflow that the caller may run. Without an
// answer there are no completions: a shell has no place for errors.
func (c *connection) completeWorkflows(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	if len(args) == 0 {
		c.complete(cmd, func(ctx context.Context, client *cli.Client) {
			workflows, _, _ := client.List(ctx)
			for _, w := range workflows {
				out = append(out, cobra.CompletionWithDesc(w.Name, cli.Printable(w.Title)))
			}
		})
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeExecutions completes the id of one of the caller's executions; running narrows
// them down to those that have not ended.
func (c *connection) completeExecutions(running bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		if len(args) == 0 {
			c.complete(cmd, func(ctx context.Context, client *cli.Client) {
				executions, _, _ := client.Executions(ctx)
				for _, e := range executions {
					if !running || e.Running() {
						out = append(out, cobra.CompletionWithDesc(e.ID, cli.Printable(e.Workflow+", "+e.Status)))
					}
				}
			})
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// complete asks the app, unless that would need the standard input, which is the shell's.
func (c *connection) complete(cmd *cobra.Command, ask func(context.Context, *cli.Client)) {
	if c.token != "" || c.file.manifest == "-" {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	client, closeClient, err := c.open(ctx, cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return
	}
	defer closeClient()
	ask(ctx, client)
}

// completeContexts completes the name of a context.
func completeContexts(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	contexts, err := cli.LoadContexts()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, c := range contexts.Contexts {
		out = append(out, cobra.CompletionWithDesc(c.Name, c.Server))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
