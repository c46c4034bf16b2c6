package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// workflowSecrets are the values of spec.secrets, of each the last good one.
type workflowSecrets struct {
	dir      string
	declared []v1alpha1.WorkflowSecret
	values   atomic.Pointer[map[string]any]
}

// openSecrets reads them. It is an error when one is missing: a workflow could not do
// what it says.
func openSecrets(dir string, declared []v1alpha1.WorkflowSecret) (*workflowSecrets, error) {
	s := &workflowSecrets{dir: dir, declared: declared}
	values, err := s.read()
	if err != nil {
		return nil, err
	}
	s.values.Store(&values)
	return s, nil
}

// get returns the values by name: a text for one entry of a Secret, an object of texts
// for all of them. It is not to be changed.
func (s *workflowSecrets) get() map[string]any { return *s.values.Load() }

// read returns the secrets that can be read, and why others cannot.
func (s *workflowSecrets) read() (map[string]any, error) {
	values := make(map[string]any, len(s.declared))
	var problems []error
	for i, secret := range s.declared {
		value, err := s.readOne(secret.SecretRef)
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.secrets[%d]: %w", i, err))
			continue
		}
		values[secret.Name] = value
	}
	return values, errors.Join(problems...)
}

func (s *workflowSecrets) readOne(ref v1alpha1.WorkflowSecretReference) (any, error) {
	dir := filepath.Join(s.dir, ref.Name)
	if ref.Key != "" {
		raw, err := mounted.Entry(dir, ref.Key)
		if err != nil {
			return nil, fmt.Errorf("the entry %q of Secret %q cannot be read (%s): it is looked for in %s", ref.Key, ref.Name, mounted.Cause(err), dir)
		}
		return plainSecret(ref.Name, ref.Key, string(raw))
	}
	files, err := mounted.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("the Secret %q cannot be read (%s): it is looked for in %s", ref.Name, mounted.Cause(err), dir)
	}
	object := make(map[string]any, len(files))
	for key, text := range files {
		if object[key], err = plainSecret(ref.Name, key, text); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// plainSecret leaves out the line end that editors and 'kubectl create secret
// --from-file' leave behind a value.
func plainSecret(secret, key, text string) (string, error) {
	if len(text) > mounted.MaxEntryBytes {
		return "", fmt.Errorf("the entry %q of Secret %q has more than %d bytes", key, secret, mounted.MaxEntryBytes)
	}
	return strings.TrimRight(text, "\r\n"), nil
}

// watch follows the files until the context ends, and tells of what it finds: that some
// are others now, or that some cannot be read, which then stay as they were. Runs that
// have read a secret keep it.
func (s *workflowSecrets) watch(ctx context.Context, changed func(), failed func(error)) {
	dirs := make([]string, len(s.declared))
	for i, secret := range s.declared {
		dirs[i] = filepath.Join(s.dir, secret.SecretRef.Name)
	}
	told := ""
	mounted.Follow(ctx, func() {
		read, err := s.read()
		before := s.get()
		values := maps.Clone(before)
		maps.Copy(values, read)
		if !reflect.DeepEqual(values, before) {
			s.values.Store(&values)
			changed()
		}
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if problem != "" && problem != told {
			failed(err)
		}
		told = problem
	}, dirs...)
}
