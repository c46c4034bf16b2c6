package controllers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// The issuer 'kubernetes' is the cluster itself. Its keys are public, and yet pods have no
// way to get them: they hold no API token. So the operator puts them into the document. A
// new key of the cluster is a new document, and so a rollout.
//
// In an installation that may only work in some namespaces, this is what the default
// binding system:service-account-issuer-discovery grants every ServiceAccount.
//
// +kubebuilder:rbac:urls=/.well-known/openid-configuration;/openid/v1/jwks,verbs=get

const (
	// refreshKeys is how often the cluster's keys are looked at.
	refreshKeys = 5 * time.Minute
	// lookAgainForKeys is how long until an app that lacks them tries again, and
	// patienceForKeys how long one attempt may take.
	lookAgainForKeys = 10 * time.Second
	patienceForKeys  = 5 * time.Second
)

// clusterIssuer knows who issues the cluster's own tokens, and with which keys. Nothing is
// fetched until an app asks for it. What is known stands while it cannot be fetched again.
type clusterIssuer struct {
	get getPath
	// own are the audiences of the operator's own token.
	own func() []string

	mu    sync.Mutex
	known *clusterKeys
	// err is what the last attempt came to while nothing is known.
	err   error
	tried time.Time
}

// clusterKeys are the cluster's keys at one time.
type clusterKeys struct {
	issuer config.ClusterIssuer
	// audiences are the API server's own: a token for one of them is good for its API.
	audiences []string
}

// getPath reads a path of the API server with the operator's own credentials.
type getPath func(ctx context.Context, path string) ([]byte, error)

func getFromAPIServer(cfg *rest.Config, client *http.Client) (getPath, error) {
	api, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, path string) ([]byte, error) {
		return api.RESTClient().Get().AbsPath(path).SetHeader("Accept", "*/*").Do(ctx).Raw()
	}, nil
}

// current returns the cluster's keys. They are fetched when they are not known yet, once
// in a while for all apps together.
func (c *clusterIssuer) current(ctx context.Context) (*clusterKeys, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil {
		return c.known, nil
	}
	if c.err != nil && time.Since(c.tried) < lookAgainForKeys/2 {
		return nil, c.err
	}
	c.known, c.err = c.fetch(ctx)
	c.tried = time.Now()
	return c.known, c.err
}

// refresh looks whether the cluster's keys are still the same. It does nothing as long as
// no app has asked for them.
func (c *clusterIssuer) refresh(ctx context.Context) (changed bool, err error) {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	if known == nil {
		return false, nil
	}
	fetched, err := c.fetch(ctx)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = fetched.issuer.Issuer != known.issuer.Issuer || string(fetched.issuer.Keys) != string(known.issuer.Keys)
	c.known = fetched
	return changed, nil
}

func (c *clusterIssuer) fetch(ctx context.Context) (*clusterKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceForKeys)
	defer cancel()
	raw, err := c.get(ctx, "/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var discovered struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(raw, &discovered); err != nil || discovered.Issuer == "" {
		return nil, errors.New("/.well-known/openid-configuration names no issuer")
	}
	if raw, err = c.get(ctx, "/openid/v1/jwks"); err != nil {
		return nil, err
	}
	keys, err := publicKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("/openid/v1/jwks: %w", err)
	}
	return &clusterKeys{
		issuer:    config.ClusterIssuer{Issuer: discovered.Issuer, Keys: keys},
		audiences: append([]string{discovered.Issuer}, c.own()...),
	}, nil
}

// publicJWK is what verifying a signature needs of a key, and no more: no private part
// could ever get into a document.
type publicJWK struct {
	ID        string `json:"kid,omitempty"`
	Type      string `json:"kty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// publicKeys returns the public keys of a JWK set in a form that is the same whenever the
// keys are.
func publicKeys(raw []byte) ([]byte, error) {
	var set struct {
		Keys []publicJWK `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("is no JWK set")
	}
	set.Keys = slices.DeleteFunc(set.Keys, func(k publicJWK) bool {
		return !slices.Contains([]string{"RSA", "EC", "OKP"}, k.Type)
	})
	if len(set.Keys) == 0 {
		return nil, errors.New("holds no public key")
	}
	slices.SortFunc(set.Keys, func(a, b publicJWK) int {
		return strings.Compare(fmt.Sprintf("%q", a), fmt.Sprintf("%q", b)) // by kid, then by the rest
	})
	set.Keys = slices.Compact(set.Keys)
	return json.Marshal(set)
}

// tokenAudiences are the audiences of the token with which the operator calls the API
// server. It is the operator's own: there is nothing to verify.
func tokenAudiences(cfg *rest.Config) []string {
	token := cfg.BearerToken
	if cfg.BearerTokenFile != "" {
		if raw, err := os.ReadFile(cfg.BearerTokenFile); err == nil {
			token = string(raw)
		}
	}
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var several struct {
		Audiences []string `json:"aud"`
	}
	if json.Unmarshal(payload, &several) == nil {
		return several.Audiences
	}
	var one struct {
		Audience string `json:"aud"`
	}
	if json.Unmarshal(payload, &one) != nil || one.Audience == "" {
		return nil
	}
	return []string{one.Audience}
}

// addCluster puts the cluster's keys into a document that needs them.
func (r *Reconciler) addCluster(ctx context.Context, document *config.Document) error {
	if !document.NeedsCluster() {
		return nil
	}
	known, err := r.cluster.current(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &Error{Condition: v1alpha1.ConditionReferencesResolved, Reason: v1alpha1.ReasonClusterKeysUnavailable,
			Message: "spec.auth.jwt names the issuer kubernetes, and the cluster's keys cannot be fetched (" + err.Error() +
				"): let the operator's ServiceAccount get /.well-known/openid-configuration and /openid/v1/jwks; it tries again by itself",
			Next: Waiting, After: lookAgainForKeys, Cause: err}
	}
	for i := range document.Auth.JWT {
		j := &document.Auth.JWT[i]
		if j.Issuer == known.issuer.Issuer {
			return refuse(v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
				"spec.auth.jwt[%d].issuer: %q is the cluster's own issuer, which 'kubernetes' stands for already: keep one of the two", i, j.Issuer))
		}
		of := slices.IndexFunc(j.Audiences, func(a string) bool { return slices.Contains(known.audiences, a) })
		if j.Issuer == v1alpha1.KubernetesIssuer && of >= 0 {
			path := field.NewPath("spec", "auth", "jwt").Index(i).Child("audiences")
			return refuse(v1alpha1.ReasonInvalidSpec, joined(config.Problems(field.ErrorList{v1alpha1.APIServerAudience(path, j.Audiences[of])})))
		}
	}
	document.Cluster = &known.issuer
	return nil
}

// followCluster has the apps that use the cluster's keys follow them. It runs in the
// leader only.
func (r *Reconciler) followCluster(ctx context.Context) error {
	return every(ctx, refreshKeys, func() {
		if err := r.refreshCluster(ctx); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Fetching the cluster's keys, the last ones stay in force")
		}
	})
}

func (r *Reconciler) refreshCluster(ctx context.Context) error {
	changed, err := r.cluster.refresh(ctx)
	if changed {
		r.enqueue(ctx, r.appsOfCluster(ctx))
	}
	return err
}
