package v1alpha1

// Redis names the Redis that the pods of an app share. Rate limits are counted there
// once it is set.
type Redis struct {
	// urlSecretRef names the Secret's entry with the URL, user and password
	// included: redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// with TLS; with
	// Sentinels redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB; of
	// a cluster redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT.
	// +required
	URLSecretRef SecretKeyReference `json:"urlSecretRef,omitzero"`

	// caSecretRef names the Secret's entry with the PEM certificates of the
	// authorities that Redis's own certificate is checked against, instead of
	// the public ones and those of spec.trust.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitzero"`
}

// Egress says what the pods may reach, besides DNS and what the spec itself names:
// Redis and the issuers of tokens.
type Egress struct {
	// allow lists destinations, each with a port: pricing.shop.svc:443,
	// *.example.com:443 (any name below example.com), 10.20.0.0/16:8443. A
	// name with a * does not open private addresses; an exact name, an address
	// and a network do.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=260
	// +kubebuilder:validation:items:XValidation:rule=`self.matches(r'^([*][.])?([A-Za-z0-9._-]+|[0-9A-Fa-f:.]+/[0-9]+|[0-9.]+/[0-9]+|\[[0-9A-Fa-f:.]+(/[0-9]+)?\]):[0-9]+$')`,message="write host:port, *.domain:port or network:port, for example pricing.shop.svc:443, *.example.com:443 or 10.20.0.0/16:8443"
	Allow []string `json:"allow,omitempty"`
}

// Trust says whose certificates are trusted, besides the public authorities that come
// with the runtime.
type Trust struct {
	// caBundle names certificates of authorities.
	// +optional
	CABundle *CABundle `json:"caBundle,omitzero"`
}

// CABundle is a bundle of PEM certificates.
type CABundle struct {
	// configMapRef names the ConfigMap's entry that holds them.
	// +required
	ConfigMapRef ConfigMapKeyReference `json:"configMapRef,omitzero"`
}

// ConfigMapKeyReference names an entry of a ConfigMap in the namespace of the NexusApp.
type ConfigMapKeyReference struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')`,message="use lower-case letters, digits, dashes and dots, with a letter or digit at both ends"
	Name string `json:"name,omitempty"`

	// key is the entry.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[-._a-zA-Z0-9]+$')`,message="use letters, digits, dashes, dots and underscores"
	Key string `json:"key,omitempty"`
}
