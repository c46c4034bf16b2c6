//go:build !unix

package workflow

import "time"

// processCPU stands in for the CPU time where it cannot be read: it never lags behind.
func processCPU() time.Duration { return time.Since(processStart) }
