package refs

import (
	"slices"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// redisPorts are the ports that a Redis URL leads to, in order.
func redisPorts(value []byte) ([]uint16, error) {
	url, err := v1alpha1.ParseRedisURL(value)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(slices.Values(url.Ports())), nil
}
