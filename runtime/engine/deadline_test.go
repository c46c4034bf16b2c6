package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeadlineEnds: whether it passes, the parent ends or it is stopped, the context and those
// made of it end with an error that says so.
func TestDeadlineEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(d *deadline, cancel func())
		want error
	}{
		"passed":      {func(*deadline, func()) { <-time.After(time.Minute) }, context.DeadlineExceeded},
		"parent ends": {func(_ *deadline, cancel func()) { cancel() }, context.Canceled},
		"stopped":     {func(d *deadline, _ func()) { d.stop() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				d := newDeadline(parent, time.Now().Add(time.Minute))
				defer d.stop()
				child, release := context.WithCancel(d)
				defer release()
				if d.Err() != nil || child.Err() != nil {
					t.Fatal("it has ended before")
				}
				c.end(d, cancel)
				<-d.Done()
				<-child.Done()
				if !errors.Is(d.Err(), c.want) || !errors.Is(child.Err(), c.want) {
					t.Errorf("%v and %v, want %v", d.Err(), child.Err(), c.want)
				}
			})
		})
	}
	d := newDeadline(t.Context(), time.Now().Add(time.Hour))
	d.stop()
	<-d.Done()
}
