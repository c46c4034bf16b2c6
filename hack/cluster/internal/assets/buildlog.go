package assets

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// buildLog takes the output of "go build -v": one line for each package compiled, download notices, and errors.
type buildLog struct {
	mu         sync.Mutex
	partial    []byte
	kept       []byte // what is not a package path: errors
	packages   int
	downloaded int
}

func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.partial = rest
		switch text := string(line); {
		case strings.HasPrefix(text, "go: downloading "):
			l.downloaded++
		case text != "" && !strings.ContainsAny(text, " \t:"):
			l.packages++
		default:
			l.kept = append(append(l.kept, line...), '\n')
		}
	}
}

func (l *buildLog) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.packages > 0:
		return fmt.Sprintf("%d packages compiled", l.packages)
	case l.downloaded > 0:
		return fmt.Sprintf("%d modules downloaded", l.downloaded)
	default:
		return "started"
	}
}

func (l *buildLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(lastOf(append(l.kept, l.partial...), lastLines))
}
