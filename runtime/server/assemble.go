package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/apidoc"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/call"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/openapi"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/mcp"
	"github.com/nexus-operator/nexus-operator/runtime/transport/rest"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// New assembles a server. The error has one line for each problem.
func New(ctx context.Context, o Options) (*Server, error) {
	log, security := telemetry.NewLoggers(o.Output, o.Document.Logging)
	names := make([]string, len(o.Document.Workflows))
	for i, w := range o.Document.Workflows {
		names[i] = w.Name
	}
	s := &Server{
		options: o, log: log, started: time.Now(), redisTried: make(chan struct{}), told: map[string]auth.IssuerHealth{},
		metrics: telemetry.NewMetrics(names, []string{string(v1alpha1.ChannelREST), string(v1alpha1.ChannelMCP)}),
	}
	// Everything that is missing is told at once.
	if err := errors.Join(s.openRoots(), s.openKeys(), s.openSecrets(), s.openRedis()); err != nil {
		return nil, err
	}
	if err := s.openTokens(); err != nil {
		return nil, err
	}
	if err := s.assemble(ctx, security); err != nil {
		return nil, err
	}
	s.metrics.SetDocument(o.Document, o.Hash, o.Version)
	telemetry.AnnounceRisks(ctx, security, o.Document)
	return s, nil
}

// openRoots reads the certificates of the authorities that are trusted.
func (s *Server) openRoots() error {
	dir, entry := "", ""
	if bundle := s.options.Document.Trust.CABundle; bundle != nil {
		dir, entry = filepath.Join(s.options.ConfigMapsDir, bundle.ConfigMapRef.Name), bundle.ConfigMapRef.Key
	}
	var err error
	s.roots, err = egress.OpenRoots(dir, entry)
	return err
}

// openKeys reads the API keys.
func (s *Server) openKeys() error {
	declared := s.options.Document.Auth
	if declared.Mode == v1alpha1.AuthDisabled || declared.APIKeys == nil {
		return nil
	}
	keys, err := auth.Open(s.options.SecretsDir, declared.APIKeys.SecretRef.Name)
	if err != nil {
		return err
	}
	s.keys = keys
	s.keysRead(keys.Last())
	return nil
}

// openSecrets reads what workflows use as $secrets.
func (s *Server) openSecrets() error {
	if len(s.options.Document.Secrets) == 0 {
		return nil
	}
	var err error
	s.secrets, err = openSecrets(s.options.SecretsDir, s.options.Document.Secrets)
	return err
}

// openTokens reads or begins to fetch the keys of the issuers of tokens.
func (s *Server) openTokens() error {
	doc := s.options.Document
	if doc.Auth.Mode == v1alpha1.AuthDisabled || len(doc.Auth.JWT) == 0 {
		return nil
	}
	guard := egress.New(egress.Options{Rules: s.egressRules(), Roots: s.roots})
	o := auth.TokenOptions{Issuers: doc.Auth.JWT, SecretsDir: s.options.SecretsDir, Fetch: guard.Fetch, Notify: s.issuerChanged}
	if doc.Cluster != nil {
		o.Cluster = &auth.ClusterKeys{Issuer: doc.Cluster.Issuer, Keys: doc.Cluster.Keys}
	}
	var err error
	if s.tokens, err = auth.NewTokens(o); err != nil {
		return err
	}
	s.metrics.WatchIssuers(s.tokens.Health)
	return nil
}

// egressRules are what the pod may reach.
func (s *Server) egressRules() []v1alpha1.EgressRule {
	doc := s.options.Document
	return v1alpha1.EgressRules(doc.Auth, doc.Egress, doc.Events)
}

// openRedis reads how Redis is reached. It need not be there yet.
func (s *Server) openRedis() error {
	declared := s.options.Document.Redis
	if declared == nil {
		return nil
	}
	var err error
	s.redis, err = redis.Open(redis.Options{
		SecretsDir: s.options.SecretsDir, URL: declared.URLSecretRef, CA: declared.CASecretRef,
		Roots: s.roots.Pool, Notify: s.redisChanged,
	})
	if err != nil {
		return err
	}
	s.metrics.WatchRedis(s.redis.Health, s.redis.Counters)
	return nil
}

func (s *Server) assemble(ctx context.Context, security *slog.Logger) error {
	memory := s.options.MemoryLimit
	if memory <= 0 {
		memory = defaultMemory
	}
	deps := engine.Deps{
		Keys: s.keys, Tokens: s.tokens, Local: limit.NewMemory(s.started),
		// A budget that does not hold one body would refuse what the cap promises.
		Bodies:   limit.NewBudget(max(memory/4, s.options.Document.Input.MaxBytes.Value())),
		Recorder: telemetry.NewRecorder(s.metrics, security), Log: s.log,
	}
	deps.Limits, deps.Failures = s.stores(deps.Local)
	if s.secrets != nil {
		deps.Secrets = s.secrets.get
	}
	s.caller = s.newCaller()
	s.executions = s.newExecutions(memory)
	deps.Caller, deps.Executions = s.caller, s.executions
	var err error
	if s.engine, err = engine.New(s.options.Document, deps); err != nil {
		return err
	}
	s.metrics.WatchRuns(s.engine.Running, s.engine.Started)
	if s.handler, err = s.newAPI(ctx); err != nil {
		return err
	}
	return s.assembleMCP(ctx)
}

// newAPI makes what serves the REST API.
func (s *Server) newAPI(ctx context.Context) (*rest.Handler, error) {
	doc := &s.options.Document
	o := rest.Options{
		Engine: s.engine, Metrics: s.metrics, Health: s, Log: s.log,
		App:  apidoc.App{Name: doc.Name, PublicURL: doc.PublicURL, Auth: doc.Auth, Strict: doc.Input.Policy == v1alpha1.InputStrict},
		Docs: doc.Environment == v1alpha1.Development,
	}
	if m := mcp.NewMetadata(doc); m != nil {
		o.ResourceMetadata = m.URL()
	}
	return rest.New(ctx, o)
}

// assembleMCP makes what serves MCP, where a workflow is.
func (s *Server) assembleMCP(ctx context.Context) error {
	doc := &s.options.Document
	if !v1alpha1.AnyExposes(doc.Workflows, v1alpha1.ChannelMCP) {
		return nil
	}
	prompts, problems := compile.Prompts(doc)
	if len(problems) > 0 {
		return config.Join(problems)
	}
	var err error
	s.mcp, err = mcp.New(ctx, mcp.Options{
		Engine: s.engine, Document: doc, Prompts: prompts, Metrics: s.metrics, Health: s, Log: s.log, Version: s.options.Version,
	})
	return err
}

// callConnections is how many connections there are to one host that workflows call.
const callConnections = 256

// newCaller returns what makes the calls of workflows.
func (s *Server) newCaller() *call.Caller {
	doc := s.options.Document
	resources := make(map[string]string, len(doc.Resources))
	for _, r := range doc.Resources {
		resources[r.Name] = r.Content
	}
	guard := func(allowed v1alpha1.Egress, events v1alpha1.Events) *egress.Guard {
		// What the runtime fetches for itself, such as the keys of issuers, is not open to
		// workflows.
		rules := v1alpha1.EgressRules(v1alpha1.Auth{}, allowed, events)
		return egress.New(egress.Options{Rules: rules, Roots: s.roots, Timeout: egress.NoTimeout, Connections: callConnections})
	}
	return call.New(call.Options{
		Guard: guard(doc.Egress, v1alpha1.Events{}), SinkGuard: guard(v1alpha1.Egress{}, doc.Events),
		Sink: doc.Events.Sink, Resources: resources,
	})
}

// followDocuments fetches the OpenAPI documents of workflows, and ends what their calls
// leave open.
func (s *Server) followDocuments(ctx context.Context) {
	var sources []call.DocumentSource
	for _, w := range s.engine.Workflows() {
		for _, document := range w.Program.Documents() {
			if !openapi.IsURL(document.Name) {
				continue
			}
			sources = append(sources, call.DocumentSource{URL: document.Name, Access: func(ctx context.Context) (*workflow.Authentication, error) {
				return document.Access(ctx, s.engine.Host())
			}})
		}
	}
	s.caller.Load(ctx, sources)
	<-ctx.Done()
	s.caller.Close()
}

// newExecutions returns what runs workflows apart from their callers. What is kept of
// them is shared by the replicas where there is Redis.
func (s *Server) newExecutions(memory int64) *execution.Manager {
	doc := s.options.Document
	retention := time.Duration(doc.Limits.ExecutionRetentionSeconds) * time.Second
	var store execution.Store = execution.NewMemory(memory/8, retention, time.Now)
	if s.redis != nil {
		store = execution.NewRedis(s.redis, doc.Namespace, doc.Name, engine.NewID(), retention)
	}
	return execution.NewManager(execution.Options{Store: store, NewID: engine.NewID, Now: time.Now, Log: s.log})
}

// stores are where limits and refused credentials are counted: in Redis, so that they
// hold over all replicas, or else in this pod. A refused credential is never let off
// because Redis cannot be reached.
func (s *Server) stores(local *limit.Memory) (limits, failures limit.Store) {
	if s.redis == nil {
		return local, local
	}
	doc := s.options.Document
	shared := limit.NewRedis(s.redis, doc.Namespace, doc.Name)
	return limit.NewFallback(shared, local, doc.RateLimit.OnStoreError, s.metrics.StoreError),
		limit.NewFallback(shared, local, v1alpha1.StoreErrorLocal, s.metrics.StoreError)
}

// background is what goes on beside serving, each until its context ends.
func (s *Server) background() []func(context.Context) {
	out := []func(context.Context){func(ctx context.Context) { s.roots.Watch(ctx, s.rootsChanged) }}
	if s.keys != nil {
		out = append(out, func(ctx context.Context) { s.keys.Watch(ctx, s.keysChanged) })
	}
	if s.tokens != nil {
		out = append(out, s.tokens.Run)
	}
	if s.secrets != nil {
		out = append(out, func(ctx context.Context) { s.secrets.watch(ctx, s.secretsChanged, s.secretsFailed) })
	}
	if s.redis != nil {
		out = append(out, s.redis.Run)
	}
	return append(out, s.executions.Run, s.followDocuments)
}
