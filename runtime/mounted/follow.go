package mounted

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollInterval is how often a directory is looked at although nothing was said to have
// changed: some file systems say nothing.
const pollInterval = 10 * time.Second

// Follow calls look at once, whenever one of the directories may have changed, and
// every ten seconds, until the context ends. It calls look in this goroutine; whether
// anything differs is for look to find out.
func Follow(ctx context.Context, look func(), dirs ...string) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	follow(ctx, look, dirs, poll.C)
}

func follow(ctx context.Context, look func(), dirs []string, ticks <-chan time.Time) {
	events := make(chan struct{}, 1)
	if watcher, err := fsnotify.NewWatcher(); err == nil { // else polling alone is slower, and still works
		defer func() { _ = watcher.Close() }()
		attach(watcher, dirs)
		go forward(watcher, dirs, events)
	}
	for {
		look()
		select {
		case <-ctx.Done():
			return
		case <-events:
		case <-ticks:
		}
	}
}

// forward passes events on, many as one, until the watcher is closed.
func forward(watcher *fsnotify.Watcher, dirs []string, events chan<- struct{}) {
	for {
		select {
		case _, open := <-watcher.Events:
			if !open {
				return
			}
		case _, open := <-watcher.Errors: // an event may be lost: look
			if !open {
				return
			}
		}
		// A directory may be another one by now, which the old watch does not see.
		attach(watcher, dirs)
		select {
		case events <- struct{}{}:
		default:
		}
	}
}

// attach watches the directories, not their files: those are replaced, not written. A
// directory may itself be a symlink that is replaced, which its parent tells.
func attach(watcher *fsnotify.Watcher, dirs []string) {
	for _, dir := range dirs {
		_ = watcher.Add(dir) // where it cannot be watched, it is polled
		_ = watcher.Add(filepath.Dir(dir))
	}
}
