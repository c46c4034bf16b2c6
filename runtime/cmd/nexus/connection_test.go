package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestInterruptible(t *testing.T) {
	for _, sent := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, stop := interruptible(t.Context())
		if err := syscall.Kill(os.Getpid(), sent); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, errInterrupted) {
			t.Errorf("%v: the cause is %v", sent, cause)
		}
		stop()
	}
	ctx, stop := interruptible(t.Context())
	stop()
	if cause := context.Cause(ctx); errors.Is(cause, errInterrupted) {
		t.Errorf("stopped: the cause is %v", cause)
	}
}
