//go:build unix

package workflow

import (
	"syscall"
	"time"
)

// processCPU is the CPU time, user and system, that this process has used.
func processCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return time.Since(processStart)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
