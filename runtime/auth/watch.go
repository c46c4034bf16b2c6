package auth

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollInterval is how often the directory is read although nothing was said to have
// changed: some file systems say nothing.
const pollInterval = 10 * time.Second

// Watch keeps the keyring in step with the directory until the context ends. Each
// time something changed, changed is called with the outcome, in this goroutine.
func (d *Directory) Watch(ctx context.Context, changed func(Reload)) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	watcher, err := fsnotify.NewWatcher()
	if err != nil { // polling alone is slower, and still works
		d.follow(ctx, nil, poll.C, changed)
		return
	}
	defer func() { _ = watcher.Close() }()
	d.attach(watcher)
	// Whatever happened between Open and now was not seen.
	d.reload(changed)
	events := make(chan struct{}, 1)
	go func() {
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
			// The directory may be another one by now, which the old watch does not see.
			d.attach(watcher)
			select {
			case events <- struct{}{}:
			default:
			}
		}
	}()
	d.follow(ctx, events, poll.C, changed)
}

// attach watches the directory, not its files: they are replaced, not written. The
// directory may itself be a symlink that is replaced, which its parent tells.
func (d *Directory) attach(watcher *fsnotify.Watcher) {
	for _, dir := range []string{d.path, filepath.Dir(d.path)} {
		_ = watcher.Add(dir) // where it cannot be watched, it is polled
	}
}

func (d *Directory) follow(ctx context.Context, events <-chan struct{}, ticks <-chan time.Time, changed func(Reload)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
		case <-ticks:
		}
		d.reload(changed)
	}
}

func (d *Directory) reload(changed func(Reload)) {
	if reload, differs := d.read(); differs {
		changed(reload)
	}
}

// cause is the bottom of a file error: the path that it holds is known already.
func cause(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}
