// Package mounted reads directories that the kubelet publishes, such as mounted Secrets
// and ConfigMaps, and tells when they change.
package mounted

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MaxEntryBytes bounds one entry. Of a larger one Read returns one byte more than that.
const MaxEntryBytes = 1 << 20

// Read returns every entry of a directory as it was at one instant: a file for each
// entry. The kubelet publishes a new version of a volume by swapping the symlink
// ..data, so the files are read from where it points to, and read again when it pointed
// elsewhere afterwards.
func Read(dir string) (map[string]string, error) {
	const attempts = 5
	var files map[string]string
	var err error
	for range attempts {
		var before, after string
		if before, err = resolve(dir); err != nil {
			return nil, err
		}
		files, err = readFiles(before)
		if after, _ = resolve(dir); after == before {
			return files, err
		}
	}
	return files, err
}

// Entry returns one entry of a directory, as Read does.
func Entry(dir, name string) ([]byte, error) {
	return readFile(filepath.Join(dir, name))
}

// Cause is the bottom of a file error, without the path: that is known already.
func Cause(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

func resolve(dir string) (string, error) {
	if data, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		return data, nil
	}
	return filepath.EvalSymlinks(dir)
}

func readFiles(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(entries))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue // the kubelet's own
		}
		value, err := readFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFile) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[e.Name()] = string(value)
	}
	return files, nil
}

var errNoFile = errors.New("not a regular file")

// readFile never returns more than one byte beyond what an entry may have.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, MaxEntryBytes+1))
}
