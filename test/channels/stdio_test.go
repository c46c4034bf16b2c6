package channels

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// stdio calls over standard input and output of 'nexus mcp --stdio', which hands on to a
// server or, without one, serves the app from its file.
type stdio struct {
	revision string
	file     bool

	mu sync.Mutex
	// kept are the processes of the caller that most cases have, by app.
	kept map[*app]*bridge
}

// bridge is a process that hands messages on.
type bridge struct {
	process *exec.Cmd
	in      io.WriteCloser
	answers chan []byte
	id      int
}

func (s *stdio) call(t *testing.T, c call) verdict {
	t.Helper()
	b, refusal := s.open(t, c)
	if refusal != nil {
		return *refusal
	}
	b.id++
	v, result := readAnswer(t, s.revision, b.id, b.ask(t, c.toolCall(s.revision, b.id)))
	if v.code != ok || !c.async {
		return v
	}
	uri := started(t, result)
	return awaitEnd(t, func() []byte {
		b.id++
		return readResource(t, b.ask(t, rpcRequest(s.revision, b.id, "resources/read", `"uri":`+quote(uri), "")))
	})
}

// open returns a process for the call's caller. With a handshake, that may be refused
// already.
func (s *stdio) open(t *testing.T, c call) (*bridge, *verdict) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	common := c.token == c.app.credentials["web"]
	if b := s.kept[c.app]; common && b != nil {
		return b, nil
	}
	b := s.start(t, c)
	if !common {
		t.Cleanup(b.close)
	}
	if s.revision == dated {
		b.id++
		raw := b.ask(t, initialize(b.id))
		var a answer
		if err := json.Unmarshal(raw, &a); err == nil && a.Error != nil {
			v := readError(t, b.id, a, raw)
			return nil, &v
		}
		handshake(t, raw)
		if _, err := io.WriteString(b.in, initialized+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if common {
		if s.kept == nil {
			s.kept = map[*app]*bridge{}
		}
		s.kept[c.app] = b
	}
	return b, nil
}

func (s *stdio) start(t *testing.T, c call) *bridge {
	t.Helper()
	args := []string{"mcp", "--stdio", "--server", c.app.mcp}
	if s.file {
		args = append([]string{"mcp", "--stdio"}, c.app.fileArgs()...)
	}
	b := &bridge{process: exec.Command(binary, append(args, c.tokenArgs(t)...)...), answers: make(chan []byte, 16)}
	b.process.Env = environment()
	var err error
	if b.in, err = b.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := b.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.answers)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if isAnswer(line) {
				b.answers <- line
			}
		}
	}()
	return b
}

// ask writes a message and returns the answer: one is asked at a time.
func (b *bridge) ask(t *testing.T, message string) []byte {
	t.Helper()
	if _, err := io.WriteString(b.in, message+"\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case raw, open := <-b.answers:
		if !open {
			t.Fatal("the bridge has ended")
		}
		return raw
	case <-time.After(patience):
		t.Fatalf("the bridge gives no answer to %s", brief(message))
		return nil
	}
}

// close ends the process with its input.
func (b *bridge) close() {
	_ = b.in.Close()
	for range b.answers { // until the output is closed
	}
	_ = b.process.Wait()
}

// close ends the processes that were kept.
func (s *stdio) close() {
	for _, b := range s.kept {
		b.close()
	}
}
