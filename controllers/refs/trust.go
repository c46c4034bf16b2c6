package refs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

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
// whenever it changes, so it rolls nothing and nothing of it is remembered.
func (r *Reading) resolveTrust(ctx context.Context, ref v1alpha1.ConfigMapKeyReference) ([]Problem, error) {
	const field = "spec.trust.caBundle.configMapRef"
	value, problem, err := r.entry(ctx, Entry{Field: field, ConfigMap: ref.Name, Key: ref.Key, Holds: "the PEM certificates of your authorities"})
	if err != nil {
		return nil, err
	}
	if problem != nil {
		return []Problem{*problem}, nil
	}
	if err := checkCertificates([]byte(value)); err != nil {
		return []Problem{{Reason: v1alpha1.ReasonConfigMapInvalid,
			Message: fmt.Sprintf("%s: entry %q of ConfigMap %q: %v", field, ref.Key, ref.Name, err)}}, nil
	}
	return nil, nil
}
