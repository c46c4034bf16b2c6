package openapi

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestLibraryCheck(t *testing.T) {
	text, err := os.ReadFile("testdata/" + v2)
	if err != nil {
		t.Fatal(err)
	}
	l := NewLibrary(map[string]string{"configmap:apis/shelter.json": string(text), "configmap:apis/broken": "{"})
	digest := strings.Repeat("aB", 32)
	for _, c := range []struct{ name, operation, want string }{
		{"configmap:apis/shelter.json", "addAnimal", "out of reach: https://shelter.example/v2"},
		{"configmap:apis/shelter.json", "addAnimals", `did you mean "addAnimal"?`},
		{"configmap:apis/shelter.jsn", "addAnimal", `there is no OpenAPI document "configmap:apis/shelter.jsn": did you mean "configmap:apis/shelter.json"?`},
		{"configmap:apis/broken", "addAnimal", "reading the OpenAPI document"},
		{"https://docs.example/api.json", "anything", ""},
		{"https://docs.example/api.json#sha256=" + digest, "anything", ""},
		{"https://docs.example/api.json#sha256=12", "anything", "write #sha256= and 64 hexadecimal digits"},
		{"https://docs.example/api.json#section", "anything", "write #sha256="},
	} {
		err := l.Check(c.name, c.operation, func(url string) error { return errors.New("out of reach: " + url) })
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.name, c.operation, err, c.want)
		}
	}
	if err := l.Check("configmap:apis/shelter.json", "addAnimal", func(string) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := NewLibrary(nil).Document("configmap:a/b"); err == nil {
		t.Error("an empty library has a document")
	}
}
