package workflow

import (
	"time"

	"golang.org/x/sys/unix"
)

// thread is the operating system's number of the present thread. Whoever asks has locked
// its goroutine to it.
func thread() int { return unix.Gettid() }

// threadTime is the CPU time that a thread of this process has used, which any thread may
// ask for: see clock_getcpuclockid(3) and pthread_getcpuclockid(3). Where the kernel does
// not tell, it is the time that went by.
func threadTime(thread int) time.Duration {
	const ofOneThread, scheduled = 4, 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^thread<<3|ofOneThread|scheduled), &used); err != nil { //nolint:gosec // thread numbers are small
		return time.Since(processStart)
	}
	return time.Duration(used.Nano())
}
