package call

import "strings"

// challenge is one way to prove who calls that a WWW-Authenticate header offers.
type challenge struct {
	// scheme is in lower case.
	scheme string
	// parameters are by name in lower case, their values without quotes; the first of one
	// name counts. A token68 is not kept.
	parameters map[string]string
}

// challengesOf reads WWW-Authenticate headers (RFC 9110, section 11.6.1): each is a list
// of challenges, which are a scheme and a list of parameters, all of it separated by
// commas. Reading ends with what cannot be read; what came before is returned.
func challengesOf(headers []string) []challenge {
	var out []challenge
	for _, header := range headers {
		r := challengeReader{rest: header}
		for r.next(&out) {
		}
	}
	return out
}

// challengeReader reads one header from its start.
type challengeReader struct{ rest string }

// next reads one element of the list: the start of a challenge, or one more parameter of
// the last one.
func (r *challengeReader) next(out *[]challenge) bool {
	r.rest = strings.TrimLeft(r.rest, " \t,")
	name := r.token()
	if name == "" {
		return false
	}
	spaced := r.space()
	if value, ok := r.value(); ok {
		return r.add(*out, name, value)
	}
	*out = append(*out, challenge{scheme: strings.ToLower(name), parameters: map[string]string{}})
	if !spaced || r.ended() {
		return r.ended()
	}
	first := r.token()
	r.space()
	if value, ok := r.value(); ok && first != "" {
		return r.add(*out, first, value)
	}
	r.rest = strings.TrimLeft(r.rest, tokenCharacters+"/=") // a token68
	return r.ended()
}

// add keeps a parameter of the last challenge.
func (r *challengeReader) add(to []challenge, name, value string) bool {
	r.space()
	if len(to) == 0 || !r.ended() {
		return false
	}
	parameters := to[len(to)-1].parameters
	name = strings.ToLower(name)
	if _, known := parameters[name]; !known {
		parameters[name] = value
	}
	return true
}

// ended says whether an element ends here.
func (r *challengeReader) ended() bool { return r.rest == "" || r.rest[0] == ',' }

func (r *challengeReader) space() bool {
	before := len(r.rest)
	r.rest = strings.TrimLeft(r.rest, " \t")
	return len(r.rest) < before
}

const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

func (r *challengeReader) token() string {
	rest := strings.TrimLeft(r.rest, tokenCharacters)
	token := r.rest[:len(r.rest)-len(rest)]
	r.rest = rest
	return token
}

// value reads "=" and a token or a quoted text. When that is not what follows, it reads
// nothing.
func (r *challengeReader) value() (string, bool) {
	start := r.rest
	after, ok := strings.CutPrefix(r.rest, "=")
	if !ok {
		return "", false
	}
	r.rest = after
	r.space()
	if after, ok := strings.CutPrefix(r.rest, `"`); ok {
		r.rest = after
		if text, ok := r.quoted(); ok {
			return text, true
		}
	} else if token := r.token(); token != "" {
		return token, true
	}
	r.rest = start
	return "", false
}

// quoted reads up to the closing quote.
func (r *challengeReader) quoted() (string, bool) {
	var text strings.Builder
	for i := 0; i < len(r.rest); i++ {
		switch b := r.rest[i]; b {
		case '"':
			r.rest = r.rest[i+1:]
			return text.String(), true
		case '\\':
			if i++; i == len(r.rest) {
				return "", false
			}
			text.WriteByte(r.rest[i])
		default:
			text.WriteByte(b)
		}
	}
	return "", false
}
