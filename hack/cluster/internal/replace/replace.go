// Package replace writes files that others watch.
package replace

import (
	"bytes"
	"os"
)

// File gives a file its content as a whole, and does not touch it when it has that content already: kube-proxy, for one,
// ends when its configuration file is so much as rewritten.
func File(path string, data []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	partial := path + ".partial"
	if err := os.WriteFile(partial, data, mode); err != nil {
		return err
	}
	return os.Rename(partial, path)
}
