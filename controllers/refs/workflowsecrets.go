package refs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// checkText wants what workflows can use: their values are text.
func checkText(value []byte) error {
	if !utf8.Valid(value) {
		return errors.New("is not text in UTF-8, and workflows use text: encode it, as base64 for example")
	}
	return nil
}

// checkTexts does so for every entry of a Secret.
func checkTexts(reference Reference, data map[string][]byte) error {
	if len(data) == 0 {
		return fmt.Errorf("%s.name: Secret %q has no entry: add those that workflows use", reference.Field, reference.Secret)
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if err := checkText(data[name]); err != nil {
			return fmt.Errorf("%s: entry %q of Secret %q: %w; or name the one entry that workflows use in %s.key",
				reference.Field, name, reference.Secret, err, reference.Field)
		}
	}
	return nil
}
