package proc

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	tests := []struct {
		name, line string
		want       Stat
		wantErr    string
	}{
		{"plain", "7 (etcd) S" + tail, Stat{PID: 7, StartTicks: 4711}, ""},
		{"parentheses and blanks in the name", "7 (a) Z 9 (b) S" + tail, Stat{PID: 7, StartTicks: 4711}, ""},
		{"zombie", "7 (etcd) Z" + tail, Stat{PID: 7, StartTicks: 4711, Zombie: true}, ""},
		{"cut off", "7 (etcd) S 1 2", Stat{}, "too few"},
		{"no name", "7 etcd", Stat{}, "no command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat(7, []byte(tt.line))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error = %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func startSleep(t *testing.T, script string) Record {
	t.Helper()
	r, err := Start(Command{Name: "sleeper", Args: []string{"/bin/sh", "-c", script}, Env: os.Environ(), Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Stop(t.Context(), 0) })
	return r
}

// awaitArgs waits until the kernel has put the arguments of a new process in place.
func awaitArgs(t *testing.T, r Record) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if stat, err := ReadStat(r.PID); err == nil && len(stat.Args) > 0 {
			return
		}
	}
	t.Fatal("the process has no arguments after 5 s")
}

func TestOwnership(t *testing.T) {
	r := startSleep(t, "sleep 60; true")
	if !r.Alive() {
		t.Fatal("a started process is not recognised")
	}
	awaitArgs(t, r)
	tests := []struct {
		name   string
		change func(*Record)
	}{
		{"number reused by a later process", func(r *Record) { r.StartTicks-- }},
		{"number reused by another program", func(r *Record) { r.Command = "/bin/other" }},
		{"init is never ours", func(r *Record) { r.PID = 1 }},
		{"zero record", func(r *Record) { *r = Record{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other := r
			tt.change(&other)
			if other.Alive() {
				t.Error("taken for ours")
			}
			if err := other.Stop(t.Context(), 0); err != nil {
				t.Error(err)
			}
			if !r.Alive() {
				t.Error("a process that is not the recorded one was killed")
			}
		})
	}
	if err := r.Stop(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if r.Alive() {
		t.Error("still alive after Stop")
	}
}

func TestStopKillsWhatIgnoresTerm(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	r := startSleep(t, `trap "" TERM; touch `+ready+`; while :; do sleep 0.05; done`)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
	}
	if err := r.Stop(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if r.Alive() {
		t.Error("still alive")
	}
}

func TestBook(t *testing.T) {
	book := Book(filepath.Join(t.TempDir(), "procs"))
	if r, err := book.Load("etcd"); err != nil || r.Alive() {
		t.Fatalf("without a record: %+v, %v", r, err)
	}
	want := Record{Name: "etcd", PID: 12, StartTicks: 34, Command: "/x/etcd", Spec: "abc"}
	if err := book.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := book.Load("etcd")
	if err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	if names, err := book.Names(); err != nil || !reflect.DeepEqual(names, []string{"etcd"}) {
		t.Fatalf("names %v, %v", names, err)
	}
	if err := book.Forget("etcd"); err != nil {
		t.Fatal(err)
	}
	if err := book.Forget("etcd"); err != nil {
		t.Errorf("forgetting twice: %v", err)
	}
}
