package server

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// MemoryEnv names the environment variable with the container's memory limit in
// bytes, which the operator sets from the pod's own limits.
const MemoryEnv = "NEXUS_MEMORY_LIMIT_BYTES"

// cgroupMemory is where a container finds its limit (cgroup v2).
const cgroupMemory = "/sys/fs/cgroup/memory.max"

// MemoryLimit is how much memory the process may use, in bytes: what the environment
// says, or else GOMEMLIMIT, or else the cgroup; 0 when nothing bounds it.
func MemoryLimit() (int64, error) {
	if text := os.Getenv(MemoryEnv); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return 0, fmt.Errorf("%s: %q is no number of bytes: write for example 536870912", MemoryEnv, text)
		}
		return n, nil
	}
	if n := debug.SetMemoryLimit(-1); n != math.MaxInt64 {
		return n, nil
	}
	return cgroupLimit(), nil
}

// cgroupLimit is 0 where there is no cgroup v2, and where it says "max".
func cgroupLimit() int64 {
	raw, err := os.ReadFile(cgroupMemory)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// TuneMemory has Go collect garbage harder as the heap nears the limit, and less often
// while it is far from it: with a few megabytes alive, collecting at every doubling
// costs more CPU than the memory is worth.
func TuneMemory(limit int64) {
	if limit <= 0 || os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(400)
	if os.Getenv("GOMEMLIMIT") == "" {
		// The rest is for what the collector does not know of, and for when it is late.
		debug.SetMemoryLimit(limit / 10 * 8)
	}
}
