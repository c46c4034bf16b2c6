package conformance

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// httpbin stands in for httpbin.org: what the conformance kit asks of it, what our own
// features ask of the real one too, and some more.
func (s *services) httpbin(mux *http.ServeMux) {
	const host = "httpbin.org"
	for _, name := range []string{host, "other.example.com"} {
		mux.HandleFunc(name+"/anything/", anything)
		mux.HandleFunc(name+"/anything", anything)
	}
	mux.HandleFunc(host+"/status/{code}", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status(r.PathValue("code"))) })
	mux.HandleFunc(host+"/problem/{code}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status(r.PathValue("code")))
		_, _ = io.WriteString(w, `{"type":"https://example.com/errors/inside","title":"Inside","detail":"the database db-7.internal is down"}`)
	})
	mux.HandleFunc("GET "+host+"/redirect-to", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("url"))
		w.WriteHeader(status(r.URL.Query().Get("status_code")))
	})
	// response answers with what the query says: type, and body or bytes.
	mux.HandleFunc("GET "+host+"/response", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", q.Get("type"))
		if n, err := strconv.Atoi(q.Get("bytes")); err == nil {
			_, _ = io.WriteString(w, `"`+strings.Repeat("x", n)+`"`)
			return
		}
		_, _ = io.WriteString(w, q.Get("body"))
	})
	mux.HandleFunc("GET "+host+"/gzip", func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		pack := gzip.NewWriter(&body)
		_ = json.NewEncoder(pack).Encode(map[string]any{"gzipped": true, "accepts": r.Header.Get("Accept-Encoding")})
		_ = pack.Close()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body.Bytes())
	})
	mux.HandleFunc("GET "+host+"/cookies", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("X-List", "one")
		w.Header().Add("X-List", "two")
		reply(w, http.StatusOK, map[string]any{})
	})
	// flaky answers as the scenario says, and once that is used up as anything does.
	mux.HandleFunc(host+"/flaky/{name}", func(w http.ResponseWriter, r *http.Request) {
		if code, ok := s.next(r.URL.Path); ok && code != http.StatusOK {
			w.WriteHeader(code)
			return
		}
		anything(w, r)
	})
	// hang never answers.
	mux.HandleFunc(host+"/hang/{name}", func(_ http.ResponseWriter, r *http.Request) {
		s.hang(r.URL.Path)
		select {
		case <-r.Context().Done():
		case <-s.ended:
		}
		panic(http.ErrAbortHandler) // returning would answer, and a caller that leaves may still hear it
	})
	s.guarded(mux, host)
	s.descriptions(mux, host)
}

// next is the status that the scenario wants for the next request for a path.
func (s *services) next(path string) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers[path]) == 0 {
		return 0, false
	}
	code := s.answers[path][0]
	s.answers[path] = s.answers[path][1:]
	return status(code), true
}

func status(code string) int {
	n, err := strconv.Atoi(strings.TrimSpace(code))
	if err != nil || n < 200 || n > 599 {
		return http.StatusTeapot
	}
	return n
}

// anything tells what was asked for.
func anything(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	out := map[string]any{
		"method": r.Method, "url": "https://" + r.Host + r.URL.RequestURI(), "args": values(r.URL.Query()),
		"headers": headers(r.Header), "data": string(body), "json": nil, "form": map[string]any{},
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var decoded any
	if kind == "application/x-www-form-urlencoded" {
		form, _ := url.ParseQuery(string(body))
		out["form"] = values(form)
	} else if json.Unmarshal(body, &decoded) == nil {
		out["json"] = decoded
	}
	reply(w, http.StatusOK, out)
}

// values gives a name that occurs once its text, and another one the list.
func values(q url.Values) map[string]any {
	out := map[string]any{}
	for name, all := range q {
		if len(all) == 1 {
			out[name] = all[0]
		} else {
			out[name] = all
		}
	}
	return out
}
