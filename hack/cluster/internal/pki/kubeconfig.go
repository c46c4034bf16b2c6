package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/replace"
)

// Kubeconfig writes a kubeconfig that identifies by the named certificate. It carries keys, so only its owner may read
// it. JSON is YAML too, and needs no library.
func (d Dir) Kubeconfig(path, server, name string) error {
	var encoded [3]string
	for i, file := range []string{d.Cert("ca"), d.Cert(name), d.Key(name)} {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
		}
		encoded[i] = base64.StdEncoding.EncodeToString(data)
	}
	type object map[string]any
	const context = "nexus-local"
	data, err := json.MarshalIndent(object{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []object{{"name": context, "cluster": object{
			"server": server, "certificate-authority-data": encoded[0]}}},
		"users": []object{{"name": name, "user": object{
			"client-certificate-data": encoded[1], "client-key-data": encoded[2]}}},
		"contexts":        []object{{"name": context, "context": object{"cluster": context, "user": name}}},
		"current-context": context,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	if err := replace.File(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return nil
}

// ClientTLS identifies by the named certificate and trusts the cluster's authority only.
func (d Dir) ClientTLS(name string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(d.Cert(name), d.Key(name))
	if err != nil {
		return nil, fmt.Errorf("loading the certificate of %s: %w", name, err)
	}
	ca, err := os.ReadFile(d.Cert("ca"))
	if err != nil {
		return nil, fmt.Errorf("loading the authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("loading the authority: no certificate in " + d.Cert("ca"))
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
