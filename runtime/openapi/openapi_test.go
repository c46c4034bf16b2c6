package openapi

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	v2  = "shelter-2.0.json"
	v30 = "shelter-3.0.yaml"
	v31 = "shelter-3.1.yaml"
)

func read(t *testing.T, name string) *Document {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type values = map[string]any

func TestRequest(t *testing.T) {
	const root2, root3 = "https://shelter.example/v2", "https://shelter.example:8443/v3"
	list := func(items ...any) []any { return items }
	for _, c := range []struct {
		name, document, operation string
		values                    values
		want                      string // METHOD URL
		header                    string // sorted, one "Name: value" each, joined by "; "
		body                      any
	}{
		// 2.0.
		{"a scalar for a list", v2, "findAnimalsByState", values{"state": "free"}, "GET " + root2 + "/animals/byState?state=free", "Accept: application/json", nil},
		{"multi", v2, "findAnimalsByState", values{"state": list("a b", "c&d")}, "GET " + root2 + "/animals/byState?state=a%20b&state=c%26d", "Accept: application/json", nil},
		{"csv is the default", v2, "findAnimalsByState", values{"state": "x", "kinds": list("cat", "d,g")}, "GET " + root2 + "/animals/byState?state=x&kinds=cat,d%2Cg", "Accept: application/json", nil},
		{"pipes, ssv and tsv", v2, "findAnimalsByState", values{"state": "x", "colours": list("a", "b"), "sizes": list("a", "b"), "cages": list(1, 2)}, "GET " + root2 + "/animals/byState?state=x&colours=a%7Cb&sizes=a%20b&cages=1%092", "Accept: application/json", nil},
		{"a referenced parameter", v2, "findAnimalsByState", values{"state": "x", "page": 3}, "GET " + root2 + "/animals/byState?state=x&page=3", "Accept: application/json", nil},
		{"null and empty lists are left out", v2, "findAnimalsByState", values{"state": "x", "kinds": list(), "page": nil}, "GET " + root2 + "/animals/byState?state=x", "Accept: application/json", nil},
		{"path and header of the path item, api key", v2, "getAnimalById", values{"animalId": 7, "trace": "t-1", "X-Shelter-Key": "k"}, "GET " + root2 + "/animals/7", "Accept: application/json; Trace: t-1; X-Shelter-Key: k", nil},
		{"digits are kept", v2, "getAnimalById", values{"animalId": bigInt("123456789012345678901234567890")}, "GET " + root2 + "/animals/123456789012345678901234567890", "Accept: application/json", nil},
		{"a path is one segment", v2, "getAnimalById", values{"animalId": "a/b?c#d%e ä"}, "GET " + root2 + "/animals/a%2Fb%3Fc%23d%25e%20%C3%A4", "Accept: application/json", nil},
		{"a body under its name", v2, "addAnimal", values{"animal": values{"name": "Tom"}}, "POST " + root2 + "/animals", "Accept: application/json; Content-Type: application/json", values{"name": "Tom"}},
		{"a body under the common name", v2, "addAnimal", values{"body": list(1.5)}, "POST " + root2 + "/animals", "Accept: application/json; Content-Type: application/json", list(1.5)},
		{"a required body of null", v2, "addAnimal", values{"body": nil}, "POST " + root2 + "/animals", "Accept: application/json; Content-Type: application/json", nil},
		{"a form", v2, "updateAnimalWithForm", values{"animalId": 1, "name": "A&B", "tags": list("x", true)}, "POST " + root2 + "/animals/1", "Content-Type: application/x-www-form-urlencoded", "name=A%26B&tags=x&tags=true"},
		{"a file that is left out", v2, "sendPicture", values{}, "PUT " + root2 + "/animals", "Accept: application/json", nil},
		// 3.0.
		{"form explodes by default", v30, "listAnimals", values{"state": list("a", "b")}, "GET " + root3 + "/animals?state=a&state=b", "Accept: application/json", nil},
		{"form of an object", v30, "listAnimals", values{"state": values{"b": 2, "a": "1"}}, "GET " + root3 + "/animals?a=1&b=2", "Accept: application/json", nil},
		{"form that does not explode", v30, "listAnimals", values{"kinds": list("a,b", "c")}, "GET " + root3 + "/animals?kinds=a%2Cb,c", "Accept: application/json", nil},
		{"an object that does not explode", v30, "listAnimals", values{"kinds": values{"a": 1, "b": false}}, "GET " + root3 + "/animals?kinds=a,1,b,false", "Accept: application/json", nil},
		{"delimited", v30, "listAnimals", values{"sizes": list(1, 2.5), "colours": list("r", "g")}, "GET " + root3 + "/animals?sizes=1%202.5&colours=r%7Cg", "Accept: application/json", nil},
		{"deep object", v30, "listAnimals", values{"born": values{"from": 2001, "to": "2002"}}, "GET " + root3 + "/animals?born%5Bfrom%5D=2001&born%5Bto%5D=2002", "Accept: application/json", nil},
		{"content", v30, "listAnimals", values{"filter": values{"a": list("<", values{})}}, "GET " + root3 + "/animals?filter=%7B%22a%22%3A%5B%22%3C%22%2C%7B%7D%5D%7D", "Accept: application/json", nil},
		{"a header of several values", v30, "listAnimals", values{"X-Trace": list("a b", "c")}, "GET " + root3 + "/animals", "Accept: application/json; X-Trace: a b,c", nil},
		{"cookies", v30, "listAnimals", values{"visit": "a;b", "cart": list(1, 2)}, "GET " + root3 + "/animals", "Accept: application/json; Cookie: visit=a%3Bb; cart=1,2", nil},
		{"references of references", v30, "listAnimals", values{"page": true}, "GET " + root3 + "/animals?page=true", "Accept: application/json", nil},
		{"its own server, relative to the document", v30, "addAnimal", values{"body": "x"}, "POST https://docs.example/v4/animals", "Content-Type: application/vnd.shelter+json", "x"},
		{"a form body", v30, "writeAnimal", values{"body": values{"name": "Tom", "tags": list("a", "b"), "kinds": list("x", "y"), "note": list("p", "q"), "owner": values{"n": 1}, "none": nil}}, "PUT " + root3 + "/animals", "Content-Type: application/x-www-form-urlencoded", "kinds=x,y&name=Tom&note=p&note=q&owner=%7B%22n%22%3A1%7D&tags=a%7Cb"},
		{"an optional body that is left out", v30, "writeAnimal", values{}, "PUT " + root3 + "/animals", "", nil},
		{"a body of text", v30, "dropNote", values{"body": "a\nb"}, "DELETE " + root3 + "/animals", "Content-Type: text/plain", "a\nb"},
		{"a path with its own server", v30, "getRooms", values{"animalId": "a", "rooms": values{"x": 1, "y": 2}}, "GET https://rooms.example/animals/a/rooms/x=1,y=2", "", nil},
		{"a list in a path", v30, "getRooms", values{"animalId": "a", "rooms": list("x", "y/z")}, "GET https://rooms.example/animals/a/rooms/x,y%2Fz", "", nil},
		{"api keys", v30, "getRooms", values{"animalId": "a", "rooms": 1, "key": "k", "session": "s"}, "GET https://rooms.example/animals/a/rooms/1?key=k", "Cookie: session=s", nil},
		{"one name in two places", v30, "same", values{"id": 5}, "GET " + root3 + "/same/5?id=5", "", nil},
		// 3.1.
		{"a referenced path item, no servers", v31, "listAnimals", values{}, "GET https://docs.example/animals", "", nil},
		{"trace", v31, "traceAnimals", nil, "TRACE https://docs.example/animals", "", nil},
		{"a parameter that is called body", v31, "bodyParameter", values{"body": "q"}, "PUT https://docs.example/animals?body=q", "", nil},
	} {
		t.Run(c.document+"/"+c.operation+"/"+c.name, func(t *testing.T) {
			o, err := read(t, c.document).Operation(c.operation)
			if err != nil {
				t.Fatal(err)
			}
			r, err := o.Request("https://docs.example/api/openapi.yaml", c.values)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Method + " " + r.URL; got != c.want {
				t.Errorf("request\n %s, want\n %s", got, c.want)
			}
			var header []string
			for _, name := range slices.Sorted(maps.Keys(r.Header)) {
				header = append(header, name+": "+r.Header[name])
			}
			if got := strings.Join(header, "; "); got != c.header {
				t.Errorf("header %q, want %q", got, c.header)
			}
			wantBody := strings.Contains(c.header, "Content-Type")
			if r.HasBody != wantBody || !reflect.DeepEqual(r.Body, c.body) {
				t.Errorf("body %t %#v, want %t %#v", r.HasBody, r.Body, wantBody, c.body)
			}
		})
	}
}

func bigInt(digits string) *big.Int {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic(digits)
	}
	return n
}

// What is wrong with values, and what with the definition.
func TestRequestRefuses(t *testing.T) {
	for _, c := range []struct {
		document, operation string
		values              values
		value               bool
		want                string
	}{
		{v2, "findAnimalsByState", nil, true, "the parameter state is required and has no value"},
		{v2, "findAnimalsByState", values{"state": nil}, true, "the parameter state is required and has no value"},
		{v2, "updateAnimalWithForm", values{"tags": "x"}, true, "the parameters animalId, name are required and have no value"},
		{v2, "addAnimal", nil, true, "the parameter body is required"},
		{v2, "addAnimal", values{"animal": 1, "body": 2}, false, `one body: give it as "body" or as "animal", not both`},
		{v2, "findAnimalsByState", values{"state": "x", "stat": "y"}, false, `no parameter "stat": did you mean "state"?`},
		{v2, "findAnimalsByState", values{"state": "x", "odd": []any{1}}, false, `"odd" cannot be sent: it has the collectionFormat "zigzag"`},
		{v2, "sendPicture", values{"picture": "x"}, false, "files cannot be sent"},
		{v2, "sendPicture", values{"title": "x"}, false, "only that is supported"},
		{v31, "listAnimals", values{"x": 1}, false, `no parameter "x": it has none at all`},
		{v30, "getRooms", values{"unused": 1}, false, `no parameter "unused": known are animalId, key, rooms, session`},
		{v30, "listAnimals", values{"Authorization": "x"}, false, `no parameter "Authorization"`},
		{v30, "listAnimals", values{"sort": "x"}, false, `it is written as "text/csv"`},
		{v30, "listAnimals", values{"state": []any{[]any{}}}, true, "the parameter state holds lists or objects in one another"},
		{v30, "listAnimals", values{"state": []any{nil}}, true, "holds null"},
		{v30, "listAnimals", values{"born": values{"a": values{"b": 1}}}, true, "the parameter born holds lists or objects"},
		{v30, "listAnimals", values{"kinds": values{"a": nil}}, true, "holds null"},
		{v30, "listAnimals", values{"page": math.Inf(1)}, true, "the parameter page is no value that JSON has"},
		{v30, "getRooms", values{"animalId": "", "rooms": 1}, true, "the parameter animalId is empty"},
		{v30, "getRooms", values{"animalId": "..", "rooms": 1}, true, "the parameters animalId, rooms would make a path with a segment that is . or .."},
		{v30, "getRooms", values{"animalId": ".", "rooms": 1}, true, "segment"},
		{v30, "getRooms", values{"animalId": "x/../..", "rooms": 1}, true, "segment"},
		{v30, "writeAnimal", values{"body": "x"}, true, "the parameter body has to be an object: the operation wants a form"},
		{v30, "writeAnimal", values{"body": values{"a": []any{values{}}}}, true, "the parameter body.a holds lists or objects"},
		{v30, "dropNote", values{"body": values{}}, true, "has to be a string: the operation wants text/plain"},
	} {
		t.Run(c.operation+" "+c.want, func(t *testing.T) {
			o, err := read(t, c.document).Operation(c.operation)
			if err != nil {
				t.Fatal(err)
			}
			_, err = o.Request("https://docs.example", c.values)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if _, ok := errors.AsType[*ValueError](err); ok != c.value {
				t.Errorf("it is about a value: %t, want %t", ok, c.value)
			}
		})
	}
}

func TestOperationRefuses(t *testing.T) {
	for _, c := range []struct{ document, operation, want string }{
		{v2, "findAnimalByState", `did you mean "findAnimalsByState"?`},
		{v2, "somethingElse", "known are addAnimal, findAnimalsByState, getAnimalById"},
		{v2, "twice", "several operations"},
		{v2, "socket", "neither https nor http"},
		{v30, "sendPicture", "it requires a body, which has none of the media types"},
		{v30, "matrix", `requires the parameter "m", which has the style "matrix"`},
		{v31, "unknown", "unless on a path that cannot be looked at: /paths/~1outside/$ref leads out of the document"},
		{v31, "outsideParameter", "/paths/~1a/get/parameters/0/$ref leads out of the document"},
		{v31, "outsideBody", "/paths/~1b/get/requestBody/$ref leads out"},
		{v31, "circle", "without end"},
		{v31, "nothing", `the reference "#/components/parameters/nothing" leads to nothing`},
		{v31, "noPointer", `"#anchor" is no JSON pointer`},
		{v31, "undescribed", "variable {x}, which no parameter describes"},
		{v31, "query", "its path does not begin with a slash, or has a query"},
		{v31, "noDefault", "/paths/~1h/get/servers/0: the variable {region} has no default"},
		{v31, "noObject", "/components/parameters/list/1 is no object"},
		{v31, "badServer", "/paths/~1j/get/servers/0 is no object"},
	} {
		t.Run(c.operation, func(t *testing.T) {
			d := read(t, c.document)
			for range 2 { // the second answer is kept from the first
				if _, err := d.Operation(c.operation); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
			}
		})
	}
}

func TestServer(t *testing.T) {
	swagger := func(more string) string {
		return `{"swagger": "2.0", "paths": {"/x": {"get": {"operationId": "x"}}}` + more + `}`
	}
	const noServer = "does not say where its API is served"
	for _, c := range []struct{ name, document, operation, base, want, refused string }{
		{"https before http", v2, "addAnimal", "", "https://shelter.example/v2", ""},
		{"variables", v30, "listAnimals", "", "https://shelter.example:8443/v3", ""},
		{"relative", v30, "addAnimal", "http://docs.example:81/a/b.json", "http://docs.example:81/v4", ""},
		{"relative to nothing", v30, "addAnimal", "", "", noServer},
		{"none", v31, "listAnimals", "https://docs.example/a/b", "https://docs.example", ""},
		{"none, and no document", v31, "listAnimals", "", "", noServer},
		{"user", v31, "userServer", "", "", "has a user, a query or a fragment"},
		{"another scheme", v31, "ftpServer", "", "", "neither http nor https"},
		{"no URL", v31, "brokenServer", "", "", "cannot be read"},
		{"no URL of the document", v31, "listAnimals", "::", "", "the URL of the OpenAPI document cannot be read"},
		{"2.0 without a host", swagger(`, "basePath": "v1"`), "x", "http://docs.example:81/swagger.json", "http://docs.example:81/v1", ""},
		{"2.0 without schemes", swagger(`, "host": "api.example:8080"`), "x", "http://docs.example", "http://api.example:8080", ""},
		{"2.0 without schemes and document", swagger(`, "host": "api.example:8080"`), "x", "", "", noServer},
		{"2.0 with http", swagger(`, "host": "api.example", "schemes": ["ws", "http"]`), "x", "", "http://api.example", ""},
		{"2.0 without anything", swagger(""), "x", "https://docs.example/d/s.json", "https://docs.example", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *Document
			if strings.HasPrefix(c.document, "{") {
				var err error
				if d, err = Parse([]byte(c.document)); err != nil {
					t.Fatal(err)
				}
			} else {
				d = read(t, c.document)
			}
			o, err := d.Operation(c.operation)
			if err != nil {
				t.Fatal(err)
			}
			got, err := o.Server(c.base)
			if got != c.want || c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("server %q, %v, want %q, %q", got, err, c.want, c.refused)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows what is in the URL: %v", err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	bomb := "openapi: 3.0.0\na: &a " + strings.Repeat("x", 100<<10) + "\nb: &b [*a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b]\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "is empty"},
		{"a list", "[]", "no object"},
		{"garbage", "{", "reading the OpenAPI document"},
		{"no version", "{}", "does not say which version"},
		{"an old version", `{"swagger": "1.2", "paths": {}}`, "another one than 2.0, 3.0 and 3.1"},
		{"a new version", "openapi: 3.2.0\npaths: {}", "another one than 2.0, 3.0 and 3.1"},
		{"no paths", "openapi: 3.1.0", "no object paths"},
		{"too large", `{"openapi": "3.0.0", "paths": {}}` + strings.Repeat(" ", MaxBytes), "at most 1048576"},
		{"too deep", `{"openapi": "3.0.0", "paths": ` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "}", "nested"},
		{"an alias bomb", bomb, "aliases"},
		{"an alias of itself", "openapi: 3.0.0\npaths: &p {a: *p}", "reading the OpenAPI document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// A version without quotes is a number in YAML, and so are the codes of responses.
func TestParseYAML(t *testing.T) {
	d, err := Parse([]byte("swagger: 2.0\nhost: a.example\nschemes: [http]\npaths: {/x: {get: {operationId: x, responses: {200: {description: ok}}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if o, err := d.Operation("x"); err != nil || !d.swagger {
		t.Errorf("operation %v, %v", o, err)
	}
}

// Parts that many operations share are not read again for each in full: a document that
// is built so would keep a pod busy for minutes.
func TestParseSharedParts(t *testing.T) {
	const many = 12000
	types := strings.TrimSuffix(strings.Repeat(`"a/b",`, many), ",")
	var paths, content, keys []string
	for i := range many {
		paths = append(paths, fmt.Sprintf(`"/%d":{"get":{"operationId":"o%d"}}`, i, i))
		keys = append(keys, fmt.Sprintf(`"/%d":{"$ref":"#/paths/~1x"}`, i))
		content = append(content, fmt.Sprintf(`"a/b%d":{}`, i))
	}
	for _, text := range []string{
		`{"swagger":"2.0","produces":[` + types + `],"paths":{` + strings.Join(paths, ",") + `}}`,
		`{"openapi":"3.0.0","paths":{"/x":{"get":{"operationId":"x","responses":{"200":{"content":{` + strings.Join(content, ",") + `}}}}},` + strings.Join(keys, ",") + `}}`,
	} {
		d, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.places) == 0 {
			t.Error("it has no operations")
		}
	}
}
