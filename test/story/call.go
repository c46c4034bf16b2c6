package story

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// caller reaches the pods of the app.
type caller struct {
	client *http.Client
	base   string
	via    string
}

// The ports of an app's Service.
const (
	portAPI = "8000"
	portMCP = "3001"
)

// newCaller chooses how calls reach a port of the app: the Service's own address where this
// machine can reach it, else the API server's proxy, which every cluster has.
func (e *Env) newCaller(ctx context.Context, app, port string) (*caller, error) {
	ip, err := e.RunKubectl(ctx, "get", "service", "-n", Namespace, app, "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(ip, port)
	if e.Via != "apiserver" && reachable(ctx, address) {
		// A connection per request: the Service then chooses a pod per request.
		transport := &http.Transport{DisableKeepAlives: true}
		return &caller{client: &http.Client{Transport: transport, Timeout: 30 * time.Second}, base: "http://" + address, via: "the Service's address " + address}, nil
	}
	if e.Via == "service" {
		return nil, fmt.Errorf("the Service's address %s cannot be reached from here: use --via apiserver", address)
	}
	return e.proxyCaller(app, port)
}

func reachable(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: 3 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (e *Env) proxyCaller(app, port string) (*caller, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", e.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	cfg.Timeout = 30 * time.Second
	cfg.QPS = -1
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	base := fmt.Sprintf("%s/api/v1/namespaces/%s/services/%s:%s/proxy", strings.TrimSuffix(cfg.Host, "/"), Namespace, app, port)
	return &caller{client: client, base: base, via: "the API server's proxy"}, nil
}
