// Package pki makes the cluster's certificate authority and the certificates and kubeconfigs of its members.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"
)

const (
	validity = 365 * 24 * time.Hour
	// renewBefore makes up replace a certificate that would end while a cluster left running overnight still needs it.
	renewBefore = 30 * 24 * time.Hour
)

// Dir is the directory of the keys and certificates, NAME.crt and NAME.key.
type Dir string

// Cert and Key are the files of one certificate.
func (d Dir) Cert(name string) string { return filepath.Join(string(d), name+".crt") }

// Key is the private key's file.
func (d Dir) Key(name string) string { return filepath.Join(string(d), name+".key") }

// Subject is what a certificate says about its holder. Without DNSNames and IPs it cannot serve.
type Subject struct {
	Name         string // file name
	CommonName   string // user name, to the API server
	Organization string // group, to the API server
	DNSNames     []string
	IPs          []string
}

// authority signs the certificates of one cluster.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Ensure makes what is missing, about to expire or made for other names: the authority "ca", a certificate for each
// subject, and the key pair "sa" that signs service account tokens.
func (d Dir) Ensure(subjects []Subject, now time.Time) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("creating the certificate directory: %w", err)
	}
	ca, err := d.authority(now)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if d.usable(s, ca, now) {
			continue
		}
		if err := d.issue(s, ca, now); err != nil {
			return err
		}
	}
	return d.serviceAccountKeys()
}

func (d Dir) authority(now time.Time) (authority, error) {
	cert, key, err := d.load("ca")
	if err == nil && now.Add(renewBefore).Before(cert.NotAfter) {
		return authority{cert, key}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return authority{}, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, fmt.Errorf("making the authority's key: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "nexus-local-cluster"},
		NotBefore:             now.Add(-time.Minute),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if err := d.sign("ca", template, template, signer, signer); err != nil {
		return authority{}, err
	}
	cert, key, err = d.load("ca")
	return authority{cert, key}, err
}

// usable says whether the certificate on disk is still the one that would be issued.
func (d Dir) usable(s Subject, ca authority, now time.Time) bool {
	cert, _, err := d.load(s.Name)
	if err != nil || cert.CheckSignatureFrom(ca.cert) != nil || now.Add(renewBefore).After(cert.NotAfter) {
		return false
	}
	var organization string
	if len(cert.Subject.Organization) > 0 {
		organization = cert.Subject.Organization[0]
	}
	return cert.Subject.CommonName == s.CommonName && organization == s.Organization &&
		slices.Equal(cert.DNSNames, s.DNSNames) && reflect.DeepEqual(texts(cert.IPAddresses), texts(parse(s.IPs)))
}

func (d Dir) issue(s Subject, ca authority, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of %s: %w", s.Name, err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: s.CommonName},
		NotBefore:   now.Add(-time.Minute),
		NotAfter:    ca.cert.NotAfter, // a certificate cannot outlive its authority
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:    s.DNSNames,
		IPAddresses: parse(s.IPs),
	}
	if s.Organization != "" {
		template.Subject.Organization = []string{s.Organization}
	}
	if len(s.DNSNames)+len(s.IPs) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return d.sign(s.Name, template, ca.cert, key, ca.key)
}

func (d Dir) sign(name string, template, parent *x509.Certificate, key, parentKey crypto.Signer) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("signing %s: %w", name, err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return fmt.Errorf("signing %s: %w", name, err)
	}
	if err := writeKey(d.Key(name), key); err != nil {
		return err
	}
	return writePEM(d.Cert(name), "CERTIFICATE", der, 0o644)
}

// serviceAccountKeys makes the RSA pair that tokens are signed with: RS256 is what every verifier of tokens knows.
func (d Dir) serviceAccountKeys() error {
	_, errKey := os.Stat(d.Key("sa"))
	_, errPub := os.Stat(d.ServiceAccountPublicKey())
	if errKey == nil && errPub == nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making the service account key: %w", err)
	}
	if err := writeKey(d.Key("sa"), key); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the service account key: %w", err)
	}
	return writePEM(d.ServiceAccountPublicKey(), "PUBLIC KEY", public, 0o644)
}

// ServiceAccountPublicKey is the file that verifies service account tokens.
func (d Dir) ServiceAccountPublicKey() string { return filepath.Join(string(d), "sa.pub") }

func (d Dir) load(name string) (*x509.Certificate, crypto.Signer, error) {
	block, err := readPEM(d.Cert(name))
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(block)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", d.Cert(name), err)
	}
	if block, err = readPEM(d.Key(name)); err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", d.Key(name), err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("reading %s: a %T cannot sign", d.Key(name), key)
	}
	return cert, signer, nil
}

func readPEM(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("reading %s: no PEM block in it; remove the file to have it made again", path)
	}
	return block.Bytes, nil
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, data, mode); err != nil {
		return fmt.Errorf("writing a certificate: %w", err)
	}
	return nil
}

func parse(ips []string) []net.IP {
	var parsed []net.IP
	for _, ip := range ips {
		parsed = append(parsed, net.ParseIP(ip))
	}
	return parsed
}

func texts(ips []net.IP) []string {
	var out []string
	for _, ip := range ips {
		out = append(out, ip.String())
	}
	return out
}
