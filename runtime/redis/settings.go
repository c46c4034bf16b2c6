package redis

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"path/filepath"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// settings are what the files say.
type settings struct {
	rawURL, rawCA []byte
	url           v1alpha1.RedisURL
	// authorities is nil without a CA.
	authorities *x509.CertPool
}

// encrypted are the schemes of URLs with TLS.
var encrypted = map[v1alpha1.RedisForm]string{
	v1alpha1.RedisStandalone: "rediss", v1alpha1.RedisSentinel: "rediss+sentinel", v1alpha1.RedisCluster: "rediss+cluster",
}

// read reads the files. Errors name the field and never hold what the files do.
func (c *Client) read() (*settings, error) {
	var s settings
	var err error
	if s.rawURL, err = c.entry("spec.redis.urlSecretRef", c.options.URL); err != nil {
		return nil, err
	}
	if s.url, err = v1alpha1.ParseRedisURL(s.rawURL); err != nil {
		return nil, fmt.Errorf("spec.redis.urlSecretRef: the entry %q of the Secret %q: %w", c.options.URL.Key, c.options.URL.Name, err)
	}
	ca := c.options.CA
	if ca == nil {
		return &s, nil
	}
	if s.rawCA, err = c.entry("spec.redis.caSecretRef", *ca); err != nil {
		return nil, err
	}
	s.authorities = x509.NewCertPool()
	switch {
	case !s.authorities.AppendCertsFromPEM(s.rawCA):
		return nil, fmt.Errorf("spec.redis.caSecretRef: the entry %q of the Secret %q holds no PEM certificate", ca.Key, ca.Name)
	case !s.url.TLS:
		return nil, fmt.Errorf("spec.redis.caSecretRef: the URL is one without TLS, where no certificate is checked: write %s://, or leave caSecretRef out", encrypted[s.url.Form])
	}
	return &s, nil
}

func (c *Client) entry(field string, ref v1alpha1.SecretKeyReference) ([]byte, error) {
	dir := filepath.Join(c.options.SecretsDir, ref.Name)
	value, err := mounted.Entry(dir, ref.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: the entry %q of the Secret %q cannot be read: %s (looked in %s)", field, ref.Key, ref.Name, mounted.Cause(err), dir)
	}
	return value, nil
}

func (c *Client) dirs() []string {
	dirs := []string{filepath.Join(c.options.SecretsDir, c.options.URL.Name)}
	if ca := c.options.CA; ca != nil {
		dirs = append(dirs, filepath.Join(c.options.SecretsDir, ca.Name))
	}
	return dirs
}

// look reads the files again. What cannot be used changes nothing.
func (c *Client) look() {
	next, err := c.read()
	if err != nil {
		c.publish(func(h *Health) { h.Stale = string(Files) })
		return
	}
	if now := c.wanted.Load(); bytes.Equal(now.rawURL, next.rawURL) && bytes.Equal(now.rawCA, next.rawCA) {
		c.publish(func(h *Health) {
			if h.Stale == string(Files) { // it was, for a moment
				h.Stale = ""
			}
		})
		return
	}
	c.wanted.Store(next)
	select {
	case c.changed <- struct{}{}:
	default:
	}
}
