// Package config is the runtime document: what a pod is told to enforce. The
// operator renders it from a NexusApp, the runtime loads it, and 'nexus serve -f'
// renders it on the spot with the same function.
package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Version is the version of the document's format. A field added in a later version
// is left out of the document when the user did not set it, so that a newer operator
// changes nothing for an app pinned to an older image.
const Version = 1

// MaxBytes bounds a rendered document; a ConfigMap holds at most 1 MiB.
const MaxBytes = 900 << 10

// Document is what a pod enforces. It embeds the policy structs of the API by value,
// with every default filled in. It holds no secret, no replica count and nothing of
// the pod's shape, so only a change of policy changes its hash.
type Document struct {
	Version           int                         `json:"version"`
	Name              string                      `json:"name"`
	Namespace         string                      `json:"namespace"`
	Environment       v1alpha1.Environment        `json:"environment"`
	AcknowledgedRisks []v1alpha1.AcknowledgedRisk `json:"acknowledgedRisks,omitempty"`
	Auth              v1alpha1.Auth               `json:"auth"`
	RateLimit         v1alpha1.RateLimit          `json:"rateLimit"`
	Input             v1alpha1.Input              `json:"input"`
	Redis             *v1alpha1.Redis             `json:"redis,omitempty"`
	Egress            v1alpha1.Egress             `json:"egress,omitzero"`
	Trust             v1alpha1.Trust              `json:"trust,omitzero"`
	Limits            v1alpha1.Limits             `json:"limits"`
	Logging           v1alpha1.Logging            `json:"logging"`
	Secrets           []v1alpha1.WorkflowSecret   `json:"secrets,omitempty"`
	Events            v1alpha1.Events             `json:"events,omitzero"`
	Workflows         []v1alpha1.Workflow         `json:"workflows"`
	// PublicURL is how callers reach the app; empty when nobody has said.
	PublicURL string   `json:"publicURL,omitempty"`
	Prompts   []Prompt `json:"prompts,omitempty"`
	// Resources are the documents that the workflows name, by the names they use.
	Resources []Resource `json:"resources,omitempty"`
	// Cluster is the issuer of the cluster's own tokens. It is set exactly when
	// NeedsCluster says so, by whoever renders the document.
	Cluster *ClusterIssuer `json:"cluster,omitempty"`
}

// Resource is a document that workflows name, such as an OpenAPI document.
type Resource struct {
	// Name is what definitions write: configmap:NAME/KEY.
	Name string `json:"name"`
	// Content is the text of the document.
	Content string `json:"content"`
}

// Prompt is a prompt of MCP, with what its ConfigMap holds.
type Prompt struct {
	Name string `json:"name"`
	// Content is the prompt as JSON; package prompt knows its form.
	Content json.RawMessage `json:"content"`
}

// ClusterIssuer is what verifying the cluster's own tokens takes.
type ClusterIssuer struct {
	// Issuer is the claim iss of the cluster's tokens.
	Issuer string `json:"issuer"`
	// Keys is the cluster's JWK set, of public keys.
	Keys json.RawMessage `json:"keys"`
}

// NeedsCluster says whether an issuer of the document is the cluster itself.
func (d *Document) NeedsCluster() bool {
	return slices.ContainsFunc(d.Auth.JWT, func(j v1alpha1.JWTIssuer) bool { return j.Issuer == v1alpha1.KubernetesIssuer })
}

// FromApp renders the document of an app. Defaults are filled in first, and every
// definition becomes JSON, wherever the app has it: source returns what ConfigMaps hold.
// The error list names every field that the rules of the API refuse, and, as IsReference
// tells, every entry of a ConfigMap that cannot be used; then the document is the zero
// value. The app is not changed.
func FromApp(app *v1alpha1.NexusApp, source Source) (Document, field.ErrorList) {
	d, errs := Draft(app, source)
	if len(errs) > 0 {
		return Document{}, errs
	}
	return d, nil
}

// Draft is FromApp for who wants to find every problem at once: beside the errors there
// is as much of the document as there can be. A definition or prompt that cannot be had is
// empty.
func Draft(app *v1alpha1.NexusApp, source Source) (Document, field.ErrorList) {
	app = app.DeepCopy()
	spec := &app.Spec
	v1alpha1.SetDefaults(spec)
	for i := range spec.Workflows {
		// Whoever loads the document judges this form.
		if sorted, err := sortedJSON(spec.Workflows[i].Definition.Raw); err == nil {
			spec.Workflows[i].Definition.Raw = sorted
		}
	}
	errs := append(v1alpha1.Validate(app), v1alpha1.ValidateWritten(app)...)
	r, unresolved := resolve(spec, source)
	return Document{
		Version: Version, Name: app.Name, Namespace: app.Namespace, Environment: spec.Environment,
		AcknowledgedRisks: spec.AcknowledgedRisks,
		Auth:              spec.Auth, RateLimit: spec.RateLimit, Input: spec.Input, Limits: spec.Limits,
		Redis: spec.Redis, Egress: spec.Egress, Trust: spec.Trust,
		Logging: spec.Logging, Secrets: spec.Secrets, Events: spec.Events, Workflows: spec.Workflows,
		PublicURL: spec.PublicURL, Prompts: r.prompts, Resources: r.resources,
	}, append(errs, unresolved...)
}

// Marshal renders the document in its canonical form: the same document is always
// the same bytes, whatever the order of keys in the definitions.
func (d *Document) Marshal() ([]byte, error) {
	d = d.canonical()
	raw, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("rendering the runtime document: %w", err)
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the runtime document has %d bytes, at most %d fit: shorten the workflow definitions and the OpenAPI documents that they name, or the prompts, or split the app", len(raw), MaxBytes)
	}
	return raw, nil
}

// canonical returns a copy whose definitions have sorted keys, without the defaults of
// fields that documents of this version did not always have.
func (d *Document) canonical() *Document {
	out := *d
	if out.Limits.ExecutionRetentionSeconds == v1alpha1.DefaultExecutionRetentionSeconds {
		out.Limits.ExecutionRetentionSeconds = 0
	}
	out.Workflows = make([]v1alpha1.Workflow, len(d.Workflows))
	for i := range d.Workflows {
		d.Workflows[i].DeepCopyInto(&out.Workflows[i])
		if sorted, err := sortedJSON(d.Workflows[i].Definition.Raw); err == nil { // Marshal reports what is not JSON
			out.Workflows[i].Definition.Raw = sorted
		}
	}
	out.Prompts = slices.Clone(d.Prompts)
	for i := range out.Prompts {
		if sorted, err := sortedJSON(out.Prompts[i].Content); err == nil {
			out.Prompts[i].Content = sorted
		}
	}
	return &out
}

// sortedJSON is a value in JSON, without spaces and with sorted keys.
func sortedJSON(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return compactJSON(tree)
}

// compactJSON is a value in JSON as short as it can be: the size of a definition does
// not depend on how its text spells it.
func compactJSON(tree any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Hash is the hexadecimal SHA-256 of a rendered document.
func Hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// ErrHashMismatch is returned by Load for a document that is not the expected one.
var ErrHashMismatch = errors.New("the document is not the one that this pod was told to enforce")

// Load reads a rendered document. wantHash, when not empty, is the hexadecimal
// SHA-256 that the bytes must have. Unknown and duplicate fields, another version,
// policies that are left out and whatever the schema and the rules of the API refuse
// are errors: a document that cannot be enforced whole is not loaded at all.
func Load(raw []byte, wantHash string) (Document, error) {
	if got := Hash(raw); wantHash != "" && got != wantHash {
		return Document{}, fmt.Errorf("%w: want sha256 %s, got %s", ErrHashMismatch, wantHash, got)
	}
	var d Document
	strict, err := kjson.UnmarshalStrict(raw, &d)
	if err = errors.Join(append(strict, err)...); err != nil {
		return Document{}, fmt.Errorf("reading the runtime document: %w", err)
	}
	if d.Version != Version {
		return Document{}, fmt.Errorf("reading the runtime document: version %d, this image reads version %d: use an image that matches the operator", d.Version, Version)
	}
	if err := d.compact(); err != nil {
		return Document{}, fmt.Errorf("reading the runtime document: %w", err)
	}
	if err := d.validate(); err != nil {
		return Document{}, fmt.Errorf("the runtime document cannot be enforced: %w", err)
	}
	if d.Limits.ExecutionRetentionSeconds == 0 {
		d.Limits.ExecutionRetentionSeconds = v1alpha1.DefaultExecutionRetentionSeconds
	}
	return d, nil
}

// compact takes out the blanks of definitions and prompts: the document is indented for
// people, and their size is that of their JSON. What is left out, the rules say.
func (d *Document) compact() error {
	var err error
	for i := range d.Workflows {
		definition := &d.Workflows[i].Definition
		if definition.Raw, err = strictJSON(definition.Raw); err != nil {
			return fmt.Errorf("definition of workflow %q: %w", d.Workflows[i].Name, err)
		}
	}
	for i := range d.Prompts {
		if d.Prompts[i].Content, err = strictJSON(d.Prompts[i].Content); err != nil {
			return fmt.Errorf("prompt %q: %w", d.Prompts[i].Name, err)
		}
	}
	return nil
}

// strictJSON is sortedJSON of a value that has no key twice; nothing stays nothing.
func strictJSON(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var tree any
	if strict, err := kjson.UnmarshalStrict(raw, &tree); err != nil || len(strict) > 0 {
		return nil, errors.Join(append(strict, err)...)
	}
	return sortedJSON(raw)
}
