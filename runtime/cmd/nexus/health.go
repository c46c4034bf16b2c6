package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealth() *cobra.Command {
	var url string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a runtime whether it is ready; exits with 0 or 1",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, url, nil)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--url: %w", err)}
			}
			client := http.Client{Timeout: timeout}
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }()
			text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
			if err != nil {
				return fmt.Errorf("reading the reply of %s: %w", url, err)
			}
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answers %d: %s", url, res.StatusCode, strings.TrimSpace(string(text)))
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(string(text)))
			return err
		},
	}
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:9090/readyz", "URL to ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Second, "how long to wait")
	return cmd
}
