package server

import (
	"strings"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	t.Setenv(MemoryEnv, "536870912")
	if n, err := MemoryLimit(); err != nil || n != 512<<20 {
		t.Errorf("got %d, %v", n, err)
	}
	for _, bad := range []string{"512Mi", "0", "-1"} {
		t.Setenv(MemoryEnv, bad)
		if _, err := MemoryLimit(); err == nil || !strings.Contains(err.Error(), MemoryEnv) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	t.Setenv(MemoryEnv, "")
	if n, err := MemoryLimit(); err != nil || n < 0 {
		t.Errorf("without the variable: %d, %v", n, err)
	}
}
