package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/server"
)

type serveFlags struct {
	manifest, document, hash    string
	secretsDir, configMapsDir   string
	clusterIssuer, clusterKeys  string
	apiAddr, mcpAddr, adminAddr string
	drainDelay                  time.Duration
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve (-f FILE | --config FILE)",
		Short: "Serve the workflows of an app",
		Long: "Serve the workflows of an app: of a NexusApp manifest as it is (-f), or of the document that the operator rendered (--config).\n" +
			"The environment variable " + server.MemoryEnv + " tells the memory limit, of which a quarter bounds the request bodies in flight.",
		Example: "  nexus serve -f app.yaml --secrets-dir ./secrets --configmaps-dir ./configmaps",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), f, cmd.InOrStdin(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.manifest, "filename", "f", "", "NexusApp manifest to serve; - is the standard input")
	flags.StringVar(&f.document, "config", "", "runtime document to serve")
	flags.StringVar(&f.hash, "config-sha256", "", "SHA-256 that the runtime document must have, in hexadecimal")
	flags.StringVar(&f.secretsDir, "secrets-dir", "/var/run/secrets/nexus", "directory with <secret>/<entry> files")
	flags.StringVar(&f.configMapsDir, "configmaps-dir", "/var/run/nexus/configmaps", "directory with <configmap>/<entry> files: definitions, OpenAPI documents, authorities")
	flags.StringVar(&f.clusterIssuer, "cluster-issuer", "", "for the issuer kubernetes of a manifest: the issuer that 'kubectl get --raw /.well-known/openid-configuration' names")
	flags.StringVar(&f.clusterKeys, "cluster-keys", "", "for the issuer kubernetes of a manifest: a file with what 'kubectl get --raw /openid/v1/jwks' prints")
	flags.StringVar(&f.apiAddr, "api-addr", ":8000", "address of the API")
	flags.StringVar(&f.mcpAddr, "mcp-addr", ":3001", "address of MCP, where a workflow is served over it")
	flags.StringVar(&f.adminAddr, "admin-addr", ":9090", "address of probes, metrics and status")
	flags.DurationVar(&f.drainDelay, "drain-delay", 5*time.Second, "how long requests are still taken after the signal to end")
	cmd.MarkFlagsOneRequired("filename", "config")
	cmd.MarkFlagsMutuallyExclusive("filename", "config")
	cmd.MarkFlagsMutuallyExclusive("filename", "config-sha256")
	cmd.MarkFlagsRequiredTogether("cluster-issuer", "cluster-keys")
	cmd.MarkFlagsMutuallyExclusive("config", "cluster-keys")
	return cmd
}

// serve runs until SIGTERM or SIGINT and then drains; a second signal ends it at once.
func serve(ctx context.Context, f serveFlags, in io.Reader, log io.Writer) error {
	if f.drainDelay < 0 {
		return &exitError{exitUsage, fmt.Errorf("--drain-delay %s is negative: see 'nexus serve --help'", f.drainDelay)}
	}
	doc, hash, err := loadDocument(f, in)
	if err != nil {
		return err
	}
	memory, err := server.MemoryLimit()
	if err != nil {
		return err
	}
	server.TuneMemory(memory)
	s, err := server.New(ctx, server.Options{
		Document: doc, Hash: hash, SecretsDir: f.secretsDir, ConfigMapsDir: f.configMapsDir, APIAddr: f.apiAddr,
		MCPAddr: f.mcpAddr, AdminAddr: f.adminAddr,
		DrainDelay: f.drainDelay, MemoryLimit: memory, Output: log, Version: version,
	})
	if err != nil {
		return err
	}
	if err := s.Listen(ctx); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return s.Run(ctx)
}

// loadDocument returns the document to enforce and its hash. A manifest takes the same
// way as in the cluster: it is rendered, and what was rendered is loaded.
func loadDocument(f serveFlags, in io.Reader) (config.Document, string, error) {
	if f.document != "" {
		raw, err := os.ReadFile(f.document)
		if err != nil {
			return config.Document{}, "", fmt.Errorf("reading the runtime document: %w", err)
		}
		doc, err := config.Load(raw, f.hash)
		return doc, config.Hash(raw), err
	}
	manifest, err := readFile(f.manifest, in)
	if err != nil {
		return config.Document{}, "", err
	}
	_, doc, found := readApp(manifest, f.configMapsDir)
	if len(found.problems) > 0 {
		return config.Document{}, "", invalid(f.manifest, found.problems)
	}
	if doc.Cluster, err = readCluster(f, doc); err != nil {
		return config.Document{}, "", err
	}
	raw, err := doc.Marshal()
	if err != nil {
		return config.Document{}, "", err
	}
	hash := config.Hash(raw)
	doc, err = config.Load(raw, hash)
	if err != nil {
		return config.Document{}, "", errors.Join(errors.New("the manifest's own document cannot be loaded"), err)
	}
	return doc, hash, nil
}

// readCluster is what the operator would put into the document for the issuer
// kubernetes; nil when the document names none.
func readCluster(f serveFlags, doc config.Document) (*config.ClusterIssuer, error) {
	switch {
	case !doc.NeedsCluster():
		return nil, nil
	case f.clusterKeys == "":
		return nil, &exitError{exitUsage, errors.New("spec.auth.jwt names the issuer kubernetes, whose keys only the cluster has: give --cluster-issuer and --cluster-keys")}
	}
	keys, err := os.ReadFile(f.clusterKeys)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's keys: %w", err)
	}
	if !json.Valid(keys) {
		return nil, &exitError{exitUsage, fmt.Errorf("--cluster-keys: %s is not JSON: write what 'kubectl get --raw /openid/v1/jwks' prints", f.clusterKeys)}
	}
	return &config.ClusterIssuer{Issuer: f.clusterIssuer, Keys: keys}, nil
}
