package validate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckString applies the rules for string values to one value, for example that of a
// path variable.
func (r *Rules) CheckString(value string) error {
	if f := stringValue(value); f != nil {
		return f.fault()
	}
	return nil
}

// stringValue applies every rule for string values.
func stringValue(s string) *failure {
	if !utf8.ValidString(s) {
		return notUTF8()
	}
	if strings.IndexByte(s, 0) >= 0 {
		return nulByte()
	}
	return path(s)
}

// path refuses a value that reads as a path out of its directory. A value is looked
// at as a path when there is no white space inside it and no scheme://, so prose,
// Markdown links and URLs pass; white space around it does not hide a path. What it
// says is decoded up to twice, as two layers of web software would.
func path(s string) *failure {
	if s != ".." && !strings.ContainsAny(s, `/\%`) {
		return nil
	}
	s = strings.TrimSpace(s)
	if !pathLike(s) {
		return nil
	}
	for range 3 {
		if strings.IndexByte(s, 0) >= 0 {
			return nulByte()
		}
		if escapes(s) {
			return &failure{
				rule:    PathTraversal,
				message: "reads as a path that leaves its directory or names a system directory: send a name or a relative path without \"..\"",
			}
		}
		decoded := unescape(s)
		if decoded == s {
			return nil
		}
		s = decoded
	}
	return nil
}

// pathLike says whether a value is looked at as a path at all.
func pathLike(s string) bool {
	if strings.IndexFunc(s, unicode.IsSpace) >= 0 {
		return false
	}
	return !hasScheme(s)
}

// hasScheme says whether scheme:// stands anywhere in the value (RFC 3986 section
// 3.1). One letter is a drive, not a scheme.
func hasScheme(s string) bool {
	for rest, from := s, 0; ; {
		at := strings.Index(rest[from:], "://")
		if at < 0 {
			return false
		}
		at += from
		n := 0
		for n < at && schemeByte(rest[at-n-1]) {
			n++
		}
		// The scheme starts with a letter; digits and signs before one do not count.
		for n > 0 && !letter(rest[at-n]) {
			n--
		}
		if n >= 2 {
			return true
		}
		from = at + 3
	}
}

func schemeByte(c byte) bool {
	return letter(c) || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// systemDirs are the directories that no absolute path may be in.
var systemDirs = map[string]bool{"etc": true, "proc": true, "sys": true, "root": true}

// escapes says whether a path has a ".." segment, is absolute under a system
// directory, or names a drive. Either slash separates segments; empty and "."
// segments count for nothing.
func escapes(s string) bool {
	if len(s) >= 3 && letter(s[0]) && s[1] == ':' && slash(s[2]) {
		return true
	}
	absolute := s != "" && slash(s[0])
	first := true
	for segment := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment == ".." {
			return true
		}
		if segment == "." {
			continue
		}
		if first && absolute && systemDirs[segment] {
			return true
		}
		first = false
	}
	return false
}

func slash(c byte) bool { return c == '/' || c == '\\' }

// unescape decodes %XX once; what is not a valid escape stays as it is.
func unescape(s string) string {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok := hex(s[i+1])
			low, alsoOK := hex(s[i+2])
			if ok && alsoOK {
				out = append(out, high<<4|low)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// hex returns the value of a hexadecimal digit, and whether it is one.
func hex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
