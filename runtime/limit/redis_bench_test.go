package limit

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// BenchmarkRedisTake measures requests on a real server, as many at once as the name
// says; cpu-ns/op is the CPU time of this process alone.
func BenchmarkRedisTake(b *testing.B) {
	r := open(redisclient.Connect(b, redistest.Start(b, redistest.Options{}).URL("")))
	policies := []*Policy{NewPolicy("app", 1_000_000, 1_000_000), NewPolicy("workflow/x", 1_000_000, 1_000_000)}
	for n, name := range []string{1: "OneBucket", 2: "TwoBuckets"} {
		for _, callers := range []int{1, 16, 64} {
			if n == 0 {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", name, callers), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(max(callers/2, 1))
				before := cpuTime()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := r.Take(b.Context(), time.Now(), alice, policies[:n]); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func cpuTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
