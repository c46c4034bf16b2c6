package egress

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	g := New(Options{Rules: rulesOf(t, "id.example.com:443", "*.shop.example.com:443", "pricing.shop.svc:8080",
		"10.20.0.0/16:8443", "[2606:4700::1111]:443", "8.8.8.8:443", "my_host:80")})
	const add = " is not in spec.egress.allow: add it"
	const noName = "the URL's host is neither a name of letters, digits, dashes and dots nor an address in its usual form"
	for _, c := range []struct{ url, want string }{
		{"https://id.example.com", ""},
		{"https://id.example.com:443/keys?a=b#c", ""},
		{"HTTPS://ID.Example.COM./keys", ""},
		{"http://id.example.com:443/keys", ""},
		{"https://a.shop.example.com/", ""},
		{"https://a.b.shop.example.com/", ""},
		{"http://pricing.shop.svc:8080", ""},
		{"http://my_host/", ""},
		{"https://10.20.255.1:8443/", ""},
		{"https://[::ffff:10.20.0.1]:8443/", ""},
		{"https://[2606:4700::1111]/", ""},
		{"https://[2606:4700:0:0::1111]/", ""},

		{"http://id.example.com/", "id.example.com:80" + add},
		{"https://id.example.com:8443/", "id.example.com:8443" + add},
		{"https://shop.example.com/", "shop.example.com:443" + add},
		{"https://ashop.example.com/", "ashop.example.com:443" + add},
		{"https://shop.example.com.evil.net/", "shop.example.com.evil.net:443" + add},
		{"https://example.com/", "example.com:443" + add},
		{"https://10.21.0.1:8443/", "10.21.0.1:8443" + add},
		{"https://10.20.0.1/", "10.20.0.1:443" + add},
		{"https://[::1]/", "[::1]:443" + add},
		{"https://8.8.4.4/?q=s3cret", "8.8.4.4:443" + add},
		{"https://pricing.shop.svc@169.254.169.254/", "the URL has a user in it: send credentials in a header"},
		{"https://user:s3cret@id.example.com/", "the URL has a user in it: send credentials in a header"},
		{"https://@id.example.com/", "the URL has a user in it: send credentials in a header"},

		{"", "the URL is neither http nor https"},
		{"id.example.com", "the URL is neither http nor https"},
		{"//id.example.com/", "the URL is neither http nor https"},
		{"ftp://id.example.com/", "the URL is neither http nor https"},
		{"file:///etc/passwd", "the URL is neither http nor https"},
		{"gopher://id.example.com:443/", "the URL is neither http nor https"},
		{"https:id.example.com", "the URL names no host"},
		{"https:///keys", "the URL names no host"},
		{"https://:443/", "the URL names no host"},
		{"https://id.example.com:0/", "the URL's port is not a number from 1 to 65535"},
		{"https://id.example.com:65979/", "the URL's port is not a number from 1 to 65535"},
		{"https://id.example.com:https/?k=s3cret", "the URL cannot be read"},
		{"https://id.example.com/%zz?k=s3cret", "the URL cannot be read"},
		{"https://id.example.com\n.evil.net/", "the URL cannot be read"},
		{"https://[fe80::1%25eth0]/", "the URL's address has a zone"},
		{"https://id%2eexample%2ecom/", "the URL cannot be read"},
		{"https://id.example.com../", noName},
		{"https://.example.com/", noName},
		{"https://a b.shop.example.com/", "the URL cannot be read"},
		{"https://a%00.shop.example.com/", "the URL cannot be read"},
		{"https://a!.shop.example.com/", noName},
		{"https://ä.shop.example.com/", noName},
		{"https://ⓐ.shop.example.com/", noName},
		{"https://" + strings.Repeat("a", 64) + ".shop.example.com/", noName},
		{"https://" + strings.Repeat("a.", 130) + "shop.example.com/", noName},
		{"https://127.1/", noName},
		{"https://2130706433/", noName},
		{"https://0x7f000001/", noName},
		{"https://0177.0.0.1/", noName},
		{"https://8.8.8.8.:443/", noName},
	} {
		err, got := g.Check(c.url), ""
		if err != nil {
			got = err.Error()
			if _, ok := errors.AsType[*Refused](err); !ok {
				t.Errorf("%s: %T", c.url, err)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.url, got, c.want)
		}
	}
}

// FuzzCheck looks for a URL that passes and leads elsewhere, and for an error that shows
// more than the host.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://id.example.com/keys?secret", "https://a.shop.example.com:443", "https://user@id.example.com/",
		"https://10.20.0.1:8443", "https://[::ffff:10.20.0.1]:8443/", "https://127.1/", "https://id.example.com./", "https://id.example.com\\@evil/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g := New(Options{Rules: rulesOf(t, "id.example.com:443", "*.shop.example.com:443", "10.20.0.0/16:8443")})
		err := g.Check(text)
		u, parseErr := url.Parse(text)
		if err != nil {
			if parseErr == nil && len(u.RawQuery) > 8 && !strings.Contains(u.Host, u.RawQuery) && strings.Contains(err.Error(), u.RawQuery) {
				t.Errorf("%q: the error shows the query: %v", text, err)
			}
			return
		}
		if parseErr != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q passes", text)
		}
		host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
		switch {
		case host == "id.example.com", strings.HasSuffix(host, ".shop.example.com"):
			if port != "443" && (port != "" || u.Scheme != "https") && strings.TrimLeft(port, "0") != "443" {
				t.Errorf("%q passes", text)
			}
		case strings.HasPrefix(strings.TrimPrefix(host, "::ffff:"), "10.20."), strings.Contains(host, ":"):
		default:
			t.Errorf("%q passes", text)
		}
	})
}
