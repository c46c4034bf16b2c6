package desired

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// Where the runtime finds its document, its Secrets and what it mounts of ConfigMaps, and
// the ports it serves.
const (
	ContainerName   = "runtime"
	ConfigDirectory = "/etc/nexus"
	ConfigKey       = "config.json"
	SecretsRoot     = "/var/run/nexus/secrets"
	ConfigMapsRoot  = "/var/run/nexus/configmaps"

	PortAPI   = 8000
	PortMCP   = 3001 // the runtime's default
	PortAdmin = 9090
)

// HashLength is how many hexadecimal digits of a hash become part of a name.
const HashLength = 10

// Names are the names of what belongs to one state of an app. Everything else has
// the name of the app.
type Names struct {
	// ConfigMap holds the document; its name follows from its content, so that a
	// change of policy is a change of the pod template.
	ConfigMap string
	// Document is the value of v1alpha1.LabelDocument.
	Document string
	// DocumentHash is the hexadecimal SHA-256 of the document.
	DocumentHash string
}

// NamesOf works out the names for a document.
func NamesOf(app *v1alpha1.NexusApp, document []byte) Names {
	hash := config.Hash(document)
	short := hash[:HashLength]
	return Names{ConfigMap: app.Name + "-" + short, Document: short, DocumentHash: hash}
}

// RevisionName is the name of the ControllerRevision that keeps a spec.
func RevisionName(app string, data []byte) string { return app + "-" + shortHash(data) }

func shortHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:HashLength]
}

// Labels are the labels of every object of an app.
func Labels(app string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":      "nexus",
		"app.kubernetes.io/instance":  app,
		"app.kubernetes.io/component": "runtime",
		v1alpha1.LabelManagedBy:       v1alpha1.ManagedBy,
		v1alpha1.LabelApp:             app,
	}
}

// Selector finds the pods of an app. It holds nothing that another product's objects
// may carry as well, and nothing that ever changes.
func Selector(app string) map[string]string {
	return map[string]string{v1alpha1.LabelApp: app}
}

func labelSelector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: Selector(app)}
}

// merged returns theirs overlaid with ours.
func merged(theirs, ours map[string]string) map[string]string {
	out := maps.Clone(theirs)
	if out == nil {
		return ours
	}
	maps.Copy(out, ours)
	return out
}

func typeMeta(gv schema.GroupVersion, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: gv.String(), Kind: kind}
}

func sortKeys(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}
