package v1alpha1

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateAuth(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.Auth.Mode == AuthRequired && !spec.Auth.HasSource() {
		errs = append(errs, field.Required(path.Child("apiKeys"),
			"authentication is required and no credential source is declared: set spec.auth.apiKeys.secretRef.name to a Secret made with 'nexus keys new', or list an issuer in spec.auth.jwt"))
	}
	for i := range spec.Auth.JWT {
		errs = append(errs, validateIssuer(&spec.Auth.JWT[i], path.Child("jwt").Index(i))...)
		errs = append(errs, validateFetch(&spec.Auth.JWT[i], spec.Environment, path.Child("jwt").Index(i))...)
	}
	return errs
}

var (
	issuerURL         = regexp.MustCompile(`^https?://[^/?#@]+[^?#@]*$`)
	accountSubject    = regexp.MustCompile(`^system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+$`)
	apiServerAudience = regexp.MustCompile(`^(https://)?kubernetes[.]default([.]svc([.].*)?)?$`)
)

// validateIssuer repeats the rules of JWTIssuer.
func validateIssuer(j *JWTIssuer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	sources := 0
	for _, has := range []bool{j.JWKSURI != "", j.PublicKeySecretRef != nil, j.HMACSecretRef != nil} {
		if has {
			sources++
		}
	}
	kubernetes := j.Issuer == KubernetesIssuer
	if !kubernetes && sources == 0 && !isURL(j.Issuer, issuerURL) {
		errs = append(errs, field.Invalid(path.Child("issuer"), j.Issuer,
			"keys are discovered at the issuer's URL: write an https:// URL without query, 'kubernetes' for the cluster's own tokens, or say where the keys are (jwksURI, publicKeySecretRef or hmacSecretRef)"))
	}
	if sources > 1 || kubernetes && sources > 0 {
		errs = append(errs, field.Invalid(path, "",
			"an issuer has one source of keys: keep one of jwksURI, publicKeySecretRef and hmacSecretRef, and none with the issuer kubernetes, whose keys the operator provides"))
	}
	for _, a := range j.Algorithms {
		if strings.HasPrefix(string(a), "HS") != (j.HMACSecretRef != nil) {
			errs = append(errs, field.Invalid(path.Child("algorithms"), a,
				"HS256, HS384 and HS512 belong to hmacSecretRef and the other algorithms to public keys: remove what does not fit"))
			break
		}
	}
	if !kubernetes {
		return errs
	}
	if len(j.Subjects) == 0 {
		errs = append(errs, field.Required(path.Child("subjects"),
			"any pod of the cluster can get a token for any audience: list the ServiceAccounts that may call, as {name: 'system:serviceaccount:NAMESPACE:NAME'}"))
	}
	if i := slices.IndexFunc(j.Subjects, func(s JWTSubject) bool { return !accountSubject.MatchString(s.Name) }); i >= 0 {
		errs = append(errs, field.Invalid(path.Child("subjects").Index(i).Child("name"), j.Subjects[i].Name,
			"a ServiceAccount's subject is system:serviceaccount:NAMESPACE:NAME: write for example system:serviceaccount:team-a:front"))
	}
	if i := slices.IndexFunc(j.Audiences, apiServerAudience.MatchString); i >= 0 {
		errs = append(errs, APIServerAudience(path.Child("audiences"), j.Audiences[i]))
	}
	return errs
}

// APIServerAudience refuses an audience of a 'kubernetes' issuer that is the API
// server's own.
func APIServerAudience(path *field.Path, audience string) *field.Error {
	return field.Invalid(path, audience,
		"a token for the API server's own audience could be used against the API server by whoever receives it: choose an audience of this app, such as its URL")
}

// validateFetch refuses keys that are fetched without TLS, but for development.
func validateFetch(j *JWTIssuer, environment Environment, path *field.Path) field.ErrorList {
	fetched, member := j.Issuer, "issuer"
	if j.JWKSURI != "" {
		fetched, member = j.JWKSURI, "jwksURI"
	}
	if environment != Development && j.FetchURL() != "" && strings.HasPrefix(fetched, "http://") {
		return field.ErrorList{field.Invalid(path.Child(member), fetched,
			"keys that are fetched over http:// could be anybody's: write https://, and name a private authority in spec.trust.caBundle")}
	}
	return nil
}

func isURL(text string, pattern *regexp.Regexp) bool {
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && pattern.MatchString(text)
}

func validateEgress(egress *Egress, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, text := range egress.Allow {
		if _, err := ParseEgressRule(text); err != nil {
			errs = append(errs, field.Invalid(path.Child("allow").Index(i), text, err.Error()))
		}
	}
	return errs
}

func validateStoreError(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	if spec.RateLimit.OnStoreError == "" || spec.Redis != nil {
		return nil
	}
	return field.ErrorList{field.Invalid(path, spec.RateLimit.OnStoreError,
		"rateLimit.onStoreError speaks of spec.redis, which is not set: set it, or remove onStoreError")}
}
