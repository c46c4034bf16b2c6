package workflow

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// minSecret is the shortest value, in bytes, that is taken out of texts: a shorter one
// stands in too many of them, and is no secret worth the name.
const minSecret = 4

// redacted stands where a secret stood.
const redacted = "[redacted]"

// redactor takes secrets out of what a run tells: its output, its errors, its events, and
// what it hands to other runs. It knows them as they are and as the encodings of HTTP and
// JSON write them; what an expression makes of one otherwise, it does not recognize.
type redactor struct {
	mu     sync.Mutex
	values []string
	// texts is how many there are without their encodings, digest the parameter of the last
	// digest.
	texts    int
	digest   string
	replacer *strings.Replacer
}

// add takes a value out of what is told from now on, and returns how many bytes it keeps
// for that.
func (d *redactor) add(value string) (kept int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range []string{value, strings.TrimSpace(value)} {
		if len(v) < minSecret || slices.Contains(d.values, v) {
			continue
		}
		d.texts++
		inJSON, err := gojq.Marshal(v)
		if err != nil {
			inJSON = []byte(`""`) // a text has a JSON form
		}
		for _, form := range []string{
			v, url.QueryEscape(v), url.PathEscape(v), escape(v), string(inJSON[1 : len(inJSON)-1]),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.URLEncoding.EncodeToString([]byte(v)),
			base64.RawStdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
		} {
			if form != "" && !slices.Contains(d.values, form) {
				d.values, d.replacer = append(d.values, form), nil
				kept += 2 * (headerBytes + int64(len(form)))
			}
		}
	}
	return kept
}

// public are the entries of a secret that say who calls and where, and prove nothing. They
// are ordinary words, which stand in much that a run tells.
var public = map[string]bool{
	"username": true, "user": true, "authority": true, "grant": true, "id": true, "client.id": true, "authentication": true,
	"client.authentication": true, "scopes": true, "audiences": true, "issuers": true, "encoding": true, "request.encoding": true, "endpoints": true,
}

// addAll adds every text in a value, but for entries that are no secrets.
func (d *redactor) addAll(value any) (kept int64) {
	switch value := value.(type) {
	case string:
		kept = d.add(value)
	case map[string]any:
		for name, item := range value {
			if !public[name] {
				kept += d.addAll(item)
			}
		}
	case []any:
		for _, item := range value {
			kept += d.addAll(item)
		}
	}
	return kept
}

// setDigest takes the parameter of a digest out of what is told. It is another one for
// each request and of no use after it, so that only the last is kept.
func (d *redactor) setDigest(parameter string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.digest, d.replacer = parameter, nil
}

// maxRevealed is how many different secrets and credentials a run may use: what it tells
// is searched for each of them.
const maxRevealed = 200

// reveal takes the texts of a value out of what the run tells. They are kept until its
// end.
func (r *run) reveal(value any) error {
	d := &r.shared.redact
	kept := d.addAll(value)
	d.mu.Lock()
	texts := d.texts
	d.mu.Unlock()
	if texts > maxRevealed {
		return exhausted("the run uses more than %d different secrets and credentials", maxRevealed)
	}
	if kept == 0 {
		return nil
	}
	return r.shared.claim(kept)
}

// current is the replacer of all secrets, nil when there are none. Longer ones are
// replaced first, because a shorter one may be part of them.
func (d *redactor) current() *strings.Replacer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.values) == 0 && d.digest == "" {
		return nil
	}
	if d.replacer == nil {
		slices.SortFunc(d.values, func(a, b string) int { return len(b) - len(a) })
		pairs := make([]string, 0, 2*len(d.values)+2)
		if d.digest != "" {
			pairs = append(pairs, d.digest, redacted)
		}
		for _, v := range d.values {
			pairs = append(pairs, v, redacted)
		}
		d.replacer = strings.NewReplacer(pairs...)
	}
	return d.replacer
}

// value returns a value without secrets: itself when it has none.
func (d *redactor) value(v any) any {
	replacer := d.current()
	if replacer == nil {
		return v
	}
	clean, _ := redact(replacer, v)
	return clean
}

// redact returns a value without secrets, and whether that is another one.
func redact(replacer *strings.Replacer, v any) (any, bool) {
	switch v := v.(type) {
	case string:
		clean := replacer.Replace(v)
		return clean, clean != v
	case []any:
		return redactItems(replacer, v)
	case map[string]any:
		return redactFields(replacer, v)
	}
	return v, false
}

// redactItems copies a list only when a secret is in it.
func redactItems(replacer *strings.Replacer, list []any) (any, bool) {
	var out []any
	for i, item := range list {
		clean, changed := redact(replacer, item)
		if !changed {
			continue
		}
		if out == nil {
			out = slices.Clone(list)
		}
		out[i] = clean
	}
	if out == nil {
		return list, false
	}
	return out, true
}

// redactFields copies an object only when a secret is in it, or in the names of its
// fields.
func redactFields(replacer *strings.Replacer, object map[string]any) (any, bool) {
	type field struct {
		name  string
		value any
	}
	var changes map[string]field
	for name, value := range object {
		clean, changed := redact(replacer, value)
		if cleanName := replacer.Replace(name); changed || cleanName != name {
			if changes == nil {
				changes = map[string]field{}
			}
			changes[name] = field{cleanName, clean}
		}
	}
	if changes == nil {
		return object, false
	}
	out := make(map[string]any, len(object))
	for name, value := range object {
		if change, ok := changes[name]; ok {
			out[change.name] = change.value
		} else {
			out[name] = value
		}
	}
	return out, true
}

// error returns an error without secrets: itself when there are none. Of its cause only
// the words are left, which are for the log.
func (d *redactor) error(e *Error) *Error {
	replacer := d.current()
	if replacer == nil {
		return e
	}
	clean := *e
	clean.Type, clean.Title, clean.Detail = replacer.Replace(e.Type), replacer.Replace(e.Title), replacer.Replace(e.Detail)
	clean.Cause = d.cause(e.Cause)
	return &clean
}

// cause returns what the log may say of an error.
func (d *redactor) cause(err error) error {
	replacer := d.current()
	if replacer == nil || err == nil {
		return err
	}
	if text := err.Error(); replacer.Replace(text) != text {
		return errors.New(replacer.Replace(text))
	}
	return err
}
