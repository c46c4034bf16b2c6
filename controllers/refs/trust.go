package refs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// checkCertificates wants a certificate in PEM.
func checkCertificates(value []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(value) {
		return errors.New("holds no PEM certificate: put the certificates of your authorities there, from BEGIN CERTIFICATE on")
	}
	return nil
}

// resolveTrust looks at the ConfigMap of spec.trust. The pods mount it and read it again
// whenever it changes, so it rolls nothing and nothing of it is remembered. The
// operator's cache holds only ConfigMaps of its own: this one is read where it is.
func (r *Reading) resolveTrust(ctx context.Context, ref v1alpha1.ConfigMapKeyReference) ([]Problem, error) {
	const field = "spec.trust.caBundle.configMapRef"
	bundle, err := r.configMap(ctx, ref.Name)
	switch {
	case apierrors.IsNotFound(err):
		return []Problem{{Reason: v1alpha1.ReasonConfigMapNotFound,
			Message: fmt.Sprintf("%s.name: ConfigMap %q does not exist: create it, it is looked for every minute", field, ref.Name)}}, nil
	case err != nil:
		return nil, fmt.Errorf("reading ConfigMap %s: %w", ref.Name, err)
	}
	value, ok := bundle.Data[ref.Key]
	if !ok {
		var binary []byte
		binary, ok = bundle.BinaryData[ref.Key]
		value = string(binary)
	}
	if !ok {
		return []Problem{{Reason: v1alpha1.ReasonConfigMapInvalid,
			Message: fmt.Sprintf("%s.key: ConfigMap %q has no entry %q: add it, or name the entry that holds the certificates", field, ref.Name, ref.Key)}}, nil
	}
	if err := checkCertificates([]byte(value)); err != nil {
		return []Problem{{Reason: v1alpha1.ReasonConfigMapInvalid,
			Message: fmt.Sprintf("%s: entry %q of ConfigMap %q: %v", field, ref.Key, ref.Name, err)}}, nil
	}
	return nil, nil
}

// configMap reads a ConfigMap from the API server, once.
func (r *Reading) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	done, ok := r.maps[name]
	if !ok {
		done.object = &corev1.ConfigMap{}
		done.err = r.Live.Get(ctx, r.key(name), done.object)
		r.maps[name] = done
	}
	return done.object, done.err
}
