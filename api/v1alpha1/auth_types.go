package v1alpha1

// Auth says who may call the workflows.
type Auth struct {
	// mode is Required or Disabled. Default: Required in Staging and
	// Production and wherever a credential source is declared, else Disabled.
	// +optional
	Mode AuthMode `json:"mode,omitempty"`

	// apiKeys accepts API keys, as "Authorization: Bearer KEY" or "X-API-Key:
	// KEY".
	// +optional
	APIKeys *APIKeys `json:"apiKeys,omitzero"`

	// jwt lists the issuers whose JSON Web Tokens are accepted, as
	// "Authorization: Bearer TOKEN".
	// +optional
	// +listType=map
	// +listMapKey=issuer
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	JWT []JWTIssuer `json:"jwt,omitempty"`
}

// AuthMode says whether a caller must present a credential.
// +kubebuilder:validation:Enum=Required;Disabled
type AuthMode string

// The authentication modes.
const (
	AuthRequired AuthMode = "Required"
	AuthDisabled AuthMode = "Disabled"
)

// APIKeys names the Secret with the API keys' digests.
type APIKeys struct {
	// secretRef names a Secret of the same namespace. Each entry's key is the
	// client's name, optionally followed by a dot and anything that tells its
	// keys apart (two live entries of one client allow a rotation without
	// downtime); each value is the JSON that 'nexus keys new --client NAME'
	// prints.
	// +required
	SecretRef LocalReference `json:"secretRef,omitzero"`
}

// KubernetesIssuer is the value of JWTIssuer.Issuer that stands for the cluster
// itself.
const KubernetesIssuer = "kubernetes"

// JWTIssuer is an issuer of tokens and how its tokens are verified. A token needs the
// claims iss, aud, exp and sub, and at most 8 KiB.
//
// +kubebuilder:validation:XValidation:rule="self.issuer == 'kubernetes' || self.issuer.matches('^https?://[^/?#@]+[^?#@]*$') || has(self.publicKeySecretRef) || has(self.hmacSecretRef) || has(self.jwksURI)",message="keys are discovered at the issuer's URL: write an https:// URL without query, 'kubernetes' for the cluster's own tokens, or say where the keys are (jwksURI, publicKeySecretRef or hmacSecretRef)",fieldPath=".issuer"
// +kubebuilder:validation:XValidation:rule="[has(self.jwksURI), has(self.publicKeySecretRef), has(self.hmacSecretRef)].filter(x, x).size() <= (self.issuer == 'kubernetes' ? 0 : 1)",message="an issuer has one source of keys: keep one of jwksURI, publicKeySecretRef and hmacSecretRef, and none with the issuer kubernetes, whose keys the operator provides"
// +kubebuilder:validation:XValidation:rule="!has(self.algorithms) || self.algorithms.all(a, a.startsWith('HS') == has(self.hmacSecretRef))",message="HS256, HS384 and HS512 belong to hmacSecretRef and the other algorithms to public keys: remove what does not fit",fieldPath=".algorithms"
// +kubebuilder:validation:XValidation:rule="self.issuer != 'kubernetes' || has(self.subjects)",message="any pod of the cluster can get a token for any audience: list the ServiceAccounts that may call, as {name: 'system:serviceaccount:NAMESPACE:NAME'}",fieldPath=".subjects",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.issuer != 'kubernetes' || self.audiences.all(a, !a.matches('^(https://)?kubernetes[.]default([.]svc([.].*)?)?$'))",message="a token for the API server's own audience could be used against the API server by whoever receives it: choose an audience of this app, such as its URL",fieldPath=".audiences"
// +kubebuilder:validation:XValidation:rule="self.issuer != 'kubernetes' || !has(self.subjects) || self.subjects.all(s, s.name.matches('^system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+$'))",message="a ServiceAccount's subject is system:serviceaccount:NAMESPACE:NAME: write for example system:serviceaccount:team-a:front",fieldPath=".subjects"
type JWTIssuer struct {
	// issuer is the exact value of the claim iss; keys are discovered there
	// (OpenID Connect) unless another source is given. 'kubernetes' stands for
	// the cluster: projected ServiceAccount tokens are accepted, and the
	// operator provides the cluster's public keys.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r'[|]')`,message="remove the |: it separates the parts of a subject, as in jwt|ISSUER|SUB"
	Issuer string `json:"issuer,omitempty"`

	// audiences are the names of this app in the claim aud, of which a token
	// needs at least one.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Audiences []string `json:"audiences,omitempty"`

	// jwksURI is where the issuer's public keys are. Default: what the
	// issuer's discovery document says.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^https?://[^/?#@]+[^#@]*$')`,message="write an https:// URL without user and fragment"
	JWKSURI string `json:"jwksURI,omitempty"`

	// publicKeySecretRef names a Secret's entry with the issuer's public keys:
	// PEM (several blocks are several keys), or a JWK set.
	// +optional
	PublicKeySecretRef *SecretKeyReference `json:"publicKeySecretRef,omitzero"`

	// hmacSecretRef names a Secret's entry with the key of HMAC signatures: at
	// least 32 bytes, or a JWK set of such keys, of which several may be valid
	// while they are rotated.
	// +optional
	HMACSecretRef *SecretKeyReference `json:"hmacSecretRef,omitzero"`

	// algorithms are the signature algorithms that are accepted. Default:
	// RS256, ES256 and EdDSA; HS256 with hmacSecretRef.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=13
	Algorithms []JWTAlgorithm `json:"algorithms,omitempty"`

	// rolesClaim is the claim with the caller's roles, a list or one string.
	// The claim of exactly this name is taken, or else the dots are a path into
	// objects: realm_access.roles. Default: roles.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	RolesClaim string `json:"rolesClaim,omitempty"`

	// scopesClaim is the claim with the token's scopes, a list or one string
	// with spaces between them; found like rolesClaim. Default: scope.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	ScopesClaim string `json:"scopesClaim,omitempty"`

	// subjects are, when given, the only subjects (claim sub) whose tokens are
	// accepted, each with roles besides those of the token. Required for the
	// issuer kubernetes.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Subjects []JWTSubject `json:"subjects,omitempty"`
}

// JWTSubject is a subject whose tokens are accepted.
type JWTSubject struct {
	// name is the exact value of the claim sub, such as
	// system:serviceaccount:team-a:front.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// roles that the subject has.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Roles []string `json:"roles,omitempty"`
}

// JWTAlgorithm is a signature algorithm (RFC 7518 section 3.1, RFC 8037).
// +kubebuilder:validation:Enum=RS256;RS384;RS512;PS256;PS384;PS512;ES256;ES384;ES512;EdDSA;HS256;HS384;HS512
type JWTAlgorithm string

// The algorithms that are accepted when none are listed.
const (
	RS256 JWTAlgorithm = "RS256"
	ES256 JWTAlgorithm = "ES256"
	EdDSA JWTAlgorithm = "EdDSA"
	HS256 JWTAlgorithm = "HS256"
)

// SecretKeyReference names an entry of a Secret in the namespace of the NexusApp.
type SecretKeyReference struct {
	// name of the Secret.
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
