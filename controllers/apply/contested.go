package apply

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/runtime"
)

// contested remembers the objects that came back from an apply other than they were
// sent: an admission webhook insists on something else. Applying them again would only
// have it insist again, so what came back is left alone until either side changes.
type contested struct {
	mu      sync.Mutex
	verdict map[types.UID]verdict
}

// verdict is what was sent and what came back.
type verdict struct{ sent, received string }

// remember notes what came back of an apply, and says whether it is contested.
func (c *contested) remember(wanted map[string]any, received client.Object) (bool, error) {
	covered, err := covers(received, wanted)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if covered {
		delete(c.verdict, received.GetUID())
		return false, nil
	}
	content, err := contentDigest(received)
	if err != nil {
		return false, err
	}
	if c.verdict == nil {
		c.verdict = map[types.UID]verdict{}
	}
	c.verdict[received.GetUID()] = verdict{sent: digestOf(wanted), received: content}
	return true, nil
}

// settled says whether a live object is what came back when the same was sent.
func (c *contested) settled(wanted map[string]any, live client.Object) (bool, error) {
	c.mu.Lock()
	v, ok := c.verdict[live.GetUID()]
	c.mu.Unlock()
	if !ok || v.sent != digestOf(wanted) {
		return false, nil
	}
	content, err := contentDigest(live)
	return content == v.received, err
}

// contentDigest stands for everything that a user can write on an object.
func contentDigest(object client.Object) (string, error) {
	// The answer of the API server goes through what the cache does to its objects.
	slim, err := Slim(object.DeepCopyObject())
	if err != nil {
		return "", err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(slim)
	if err != nil {
		return "", err
	}
	for _, field := range []string{"status", "apiVersion", "kind"} {
		delete(content, field)
	}
	metadata := child(content, "metadata")
	for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
		delete(metadata, field)
	}
	return digest(content)
}
