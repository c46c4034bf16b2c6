// Package proc starts the cluster's processes so that they outlive the command that started them, and ends them by their
// recorded identity only.
package proc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/replace"
)

// Record is what is remembered of a started process.
type Record struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"`
	Command    string `json:"command"` // the first argument as started
	Spec       string `json:"spec"`    // digest of arguments and configuration it was started with
}

// Command is a process to start.
type Command struct {
	Name string
	Args []string // the first is the file to run
	Env  []string // the whole environment
	Log  string   // file that takes its output, appended to
	Spec string
}

// Start runs the command in a session of its own, without a terminal, an input or the caller's output.
func Start(c Command) (Record, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }() // the process has a descriptor of its own
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = c.Env
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	stat, err := ReadStat(cmd.Process.Pid)
	if err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	// Reaps it if it dies while this command still runs; afterwards init does.
	go func() { _ = cmd.Wait() }()
	return Record{Name: c.Name, PID: stat.PID, StartTicks: stat.StartTicks, Command: c.Args[0], Spec: c.Spec}, nil
}

// Alive says whether the recorded process, and not another one under its number, is still running. The number and the
// start time settle that; the arguments are a second witness, which for a moment after the start has nothing to say: the
// kernel lets the starter go on before it has put them in place.
func (r Record) Alive() bool {
	if r.PID <= 1 {
		return false
	}
	stat, err := ReadStat(r.PID)
	if err != nil || stat.Zombie || stat.StartTicks != r.StartTicks {
		return false
	}
	return len(stat.Args) == 0 || stat.Args[0] == r.Command
}

// Stop ends the process if it is still the recorded one: SIGTERM, and SIGKILL when grace is over.
func (r Record) Stop(ctx context.Context, grace time.Duration) error {
	deadline := time.Now().Add(grace)
	sig := syscall.SIGTERM
	for sent := syscall.Signal(0); r.Alive(); {
		if time.Now().After(deadline) {
			sig = syscall.SIGKILL
		}
		if sig != sent {
			if err := syscall.Kill(r.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stopping %s (pid %d): %w", r.Name, r.PID, err)
			}
			sent = sig
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopping %s (pid %d): %w", r.Name, r.PID, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Book is the directory of records, one file each.
type Book string

func (b Book) file(name string) string { return filepath.Join(string(b), name+".json") }

// Save writes a record.
func (b Book) Save(r Record) error {
	if err := os.MkdirAll(string(b), 0o755); err != nil {
		return fmt.Errorf("recording %s: %w", r.Name, err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording %s: %w", r.Name, err)
	}
	if err := replace.File(b.file(r.Name), data, 0o644); err != nil {
		return fmt.Errorf("recording %s: %w", r.Name, err)
	}
	return nil
}

// Load reads one record; without one it returns the zero Record, which is never alive.
func (b Book) Load(name string) (Record, error) {
	var r Record
	data, err := os.ReadFile(b.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{Name: name}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading the record of %s: %w", name, err)
	}
	return r, nil
}

// Names lists the recorded processes.
func (b Book) Names() ([]string, error) {
	entries, err := os.ReadDir(string(b))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".json"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Forget removes a record.
func (b Book) Forget(name string) error {
	if err := os.Remove(b.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting %s: %w", name, err)
	}
	return nil
}
