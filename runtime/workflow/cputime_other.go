//go:build !linux

package workflow

import "time"

func thread() int { return 0 }

// threadTime stands in for the CPU time where it cannot be read: the time that went by.
func threadTime(int) time.Duration { return time.Since(processStart) }
