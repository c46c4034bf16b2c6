package workflow

import (
	"strings"
)

// secrets is $secrets: those that the workflow lists in use.secrets.
func (r *run) secrets() any {
	if r.secretsValue == nil {
		all := r.shared.read()
		own := make(map[string]any, len(r.program.secrets))
		for _, name := range r.program.secrets {
			if value, ok := all[name]; ok {
				own[name] = value
			}
		}
		r.secretsValue = own
	}
	return r.secretsValue
}

// readable returns the specification's error unless all of some secrets are there. That
// the workflow may read them was checked when it was compiled. From then on their values
// are taken out of whatever the run tells.
func (r *run) readable(names []string) error {
	all := r.shared.read()
	for _, name := range names {
		value, ok := all[name]
		if !ok {
			return NewError(AuthorizationError, nil, "the secret %q cannot be read", name)
		}
		if _, before := r.shared.revealed.LoadOrStore(name, true); !before {
			if err := r.reveal(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// read returns the app's secrets as they were when the run first asked.
func (s *shared) read() map[string]any {
	s.readSecrets.Do(func() {
		if s.host.Secrets != nil {
			s.secrets = s.host.Secrets()
		}
	})
	return s.secrets
}

// secretProperties reads the properties of an authentication policy off a secret: the
// entries of a whole Secret, a JSON object, or for bearer the text itself.
func (r *run) secretProperties(a *authentication) (map[string]any, error) {
	if err := r.readable([]string{a.secret}); err != nil {
		return nil, err
	}
	value, out := r.shared.read()[a.secret], map[string]any{}
	if object, ok := value.(map[string]any); ok {
		flatten(out, "", object)
		return out, nil
	}
	text, _ := value.(string)
	if parsed, err := decodeJSON([]byte(text)); err == nil {
		if object, ok := parsed.(map[string]any); ok {
			if err := r.reveal(object); err != nil {
				return nil, err
			}
			flatten(out, "", object)
			return out, nil
		}
	}
	if a.scheme == AuthenticateBearer {
		out["token"] = strings.TrimSpace(text)
		return out, nil
	}
	return nil, NewError(ConfigurationError, nil, "the secret %q does not hold the properties of %s: leave its key out to use all entries of the Secret, or write a JSON object into the entry", a.secret, a.scheme)
}

// flatten writes the members of nested objects under names with dots.
func flatten(out map[string]any, prefix string, object map[string]any) {
	for name, value := range object {
		if inner, ok := value.(map[string]any); ok {
			flatten(out, prefix+name+".", inner)
			continue
		}
		out[prefix+name] = value
	}
}
