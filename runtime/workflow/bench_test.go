package workflow

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkTwoTasks is what the engine costs where the tasks cost next to nothing.
func BenchmarkTwoTasks(b *testing.B) {
	for name, members := range map[string]string{
		"plain":      `"do":[{"price":{"set":{"net":"${ .order.total }"}}},{"tax":{"set":{"net":"${ .net }","gross":"${ .net * 1.2 }"}}}]`,
		"expression": `"do":[{"price":{"set":{"net":"${ [.order.items[] | .price * .quantity] | add }"}}},{"tax":{"set":{"net":"${ .net }","gross":"${ .net * 1.2 }"}}}]`,
		"context":    `"do":[{"price":{"set":{"net":"${ .order.total }"},"export":{"as":{"net":"${ .net }"}}}},{"tax":{"input":{"from":".net"},"set":{"gross":"${ $context.net * 1.2 }"},"output":{"as":".gross"}}}]`,
	} {
		p, input := mustCompile(b, members), value(b, order)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(context.Background(), input, nil, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	p := mustCompile(b, `"do":[{"price":{"set":{"net":"${ .order.total }"}}},{"tax":{"set":{"net":"${ .net }","gross":"${ .net * 1.2 }"}}}]`)
	b.Run("traced", func(b *testing.B) {
		b.ReportAllocs()
		input, events := value(b, order), 0
		for b.Loop() {
			if _, err := p.Run(context.Background(), input, nil, Options{Trace: func(TaskEvent) { events++ }}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// waiting is how many runs wait at once.
const waiting = 10_000

// BenchmarkWaiting reports what a run holds that waits, its goroutine included: B/run.
func BenchmarkWaiting(b *testing.B) {
	for name, members := range map[string]string{
		"wait":   `"do":[{"a":{"set":{"id":"${ .order.id }","lines":"${ [.order.items[] | .sku] }"}}},{"b":{"wait":{"hours":1}}}]`,
		"nested": `"timeout":{"after":{"hours":2}},"do":[{"a":{"try":[{"b":{"for":{"in":".order.items"},"do":[{"c":{"do":[{"d":{"wait":{"hours":1}}}]}}]}}],"catch":{"retry":{}}}}]`,
	} {
		p := mustCompile(b, members)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(held(b, p))/waiting, "B/run")
			}
		})
	}
}

// held is what many runs of a workflow hold while they wait, inputs excluded.
func held(b *testing.B, p *Program) int64 {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	clock := &waitingClock{all: make(chan struct{})}
	input := value(b, order)
	var running sync.WaitGroup
	before := inUse()
	for range waiting {
		running.Go(func() {
			_, err := p.Run(ctx, input, &Host{Clock: clock}, Options{})
			if ctx.Err() == nil {
				b.Errorf("it did not wait: %v", err)
				clock.waits()
			}
		})
	}
	<-clock.all
	after := inUse()
	cancel()
	running.Wait()
	return after - before
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// waitingClock closes all once every run waits for it.
type waitingClock struct {
	systemClock
	count atomic.Int64
	all   chan struct{}
}

func (c *waitingClock) AfterFunc(d time.Duration, f func()) func() bool {
	if d == time.Hour {
		defer c.waits()
	}
	return c.systemClock.AfterFunc(d, f)
}

func (c *waitingClock) waits() {
	if c.count.Add(1) == waiting {
		close(c.all)
	}
}
