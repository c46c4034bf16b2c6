package refs

import (
	"errors"
	"slices"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// redisPorts are the ports that a Redis URL leads to, in order. Who names authorities
// wants them used, which they are with TLS only.
func redisPorts(value []byte, use Use) ([]uint16, error) {
	url, err := v1alpha1.ParseRedisURL(value)
	switch {
	case err != nil:
		return nil, err
	case use == RedisTLSURL && !url.TLS:
		return nil, errors.New("the URL is one without TLS, where the certificates of spec.redis.caSecretRef are not used: " +
			"write rediss:// (rediss+sentinel://, rediss+cluster://) in the entry, or leave spec.redis.caSecretRef out")
	}
	return slices.Sorted(slices.Values(url.Ports())), nil
}
