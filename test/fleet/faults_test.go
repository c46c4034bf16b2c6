package fleet

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// threeSeconds is a workflow that takes as long as that.
var threeSeconds = define("three-seconds", `[{rest: {wait: {seconds: 3}}}, {reply: {set: {done: true}}}]`)

// wantDone follows executions to their end, each on one of the replicas, and checks that
// they have completed.
func wantDone(t *testing.T, replicas []*replica, key string, executions []string) {
	t.Helper()
	for i, at := range executions {
		r := replicas[i%len(replicas)]
		r.finished(key, at)
		if x := r.look(key, at); x.Status != "completed" || string(x.Outputs) != `{"done":true}` {
			t.Errorf("%d: %+v", i, x)
		}
	}
}

// TestKilledReplica: what a replica ran that is killed is told to have failed, by the
// others and soon. Nothing else is lost.
func TestKilledReplica(t *testing.T) {
	t.Parallel()
	s := startShared(t, "", threeSeconds, define("minute", `[{rest: {wait: {minutes: 1}}}]`))
	key := s.client()
	victim, others := s.replicas[0], s.replicas[1:]
	done := victim.begin(key, "echo")
	victim.finished(key, done)
	lost := victim.begin(key, "minute")
	kept := others[0].begin(key, "three-seconds")
	followed := make(chan string)
	go func() { followed <- others[1].finished(key, lost) }()
	victim.end(os.Kill)
	killed := time.Now()
	if events := <-followed; !strings.Contains(events, "event: error\n") || !strings.Contains(events, `"status":"failed"`) {
		t.Errorf("whoever follows it is told: %s", events)
	}
	t.Logf("told after %v", time.Since(killed).Round(time.Millisecond))
	for _, r := range others {
		if x := r.look(key, lost); x.Status != "failed" || x.Problem.Code != "internal" || !strings.Contains(x.Problem.Detail, "is gone") {
			t.Errorf("what was lost: %+v", x)
		}
		if x := r.look(key, done); x.Status != "completed" || string(x.Outputs) != `{}` {
			t.Errorf("what had ended: %+v", x)
		}
	}
	wantDone(t, others, key, []string{kept, kept})
}

// TestRollingRestart: each replica is replaced while it runs workflows; none is lost.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	s := startShared(t, "", threeSeconds)
	key := s.client()
	var executions []string
	for i := range 20 {
		executions = append(executions, s.replicas[i%3].begin(key, "three-seconds"))
	}
	old := s.replicas
	s.replicas = nil
	for _, r := range old {
		s.replicas = append(s.replicas, s.files.startOne())
		r.end(syscall.SIGTERM)
	}
	wantDone(t, s.replicas, key, executions)
	for _, r := range old {
		<-r.ended
	}
}

// TestExecutionsWithoutRedis: what runs while Redis is away, and comes back with nothing of
// what it had, is not lost.
func TestExecutionsWithoutRedis(t *testing.T) {
	t.Parallel()
	s := startShared(t, "", threeSeconds)
	key := s.client()
	var executions []string
	for i := range 9 {
		executions = append(executions, s.replicas[i%3].begin(key, "three-seconds"))
	}
	s.redis.Kill()
	s.awaitRedis("0")
	if x := s.replicas[0].look(key, executions[0]); x.Status == "failed" {
		t.Errorf("its own replica: %+v", x)
	}
	for _, refused := range []answer{
		s.replicas[1].must(key, http.MethodGet, executions[0], ""),
		s.replicas[1].must(key, http.MethodPost, "/workflows/echo/execute", `{"mode":"async"}`),
		s.replicas[1].must(key, http.MethodPost, "/workflows/echo/execute", `{}`, "Idempotency-Key", "k"),
	} {
		if refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" {
			t.Errorf("what only Redis knows: %d %s", refused.status, refused.body)
		}
	}
	if a := s.replicas[1].must(key, http.MethodPost, "/workflows/echo/execute", `{}`); a.status != http.StatusOK {
		t.Errorf("what needs no Redis: %d %s", a.status, a.body)
	}
	s.redis.Restart()
	s.awaitRedis("1")
	for i, at := range executions {
		s.replicas[i%3].finished(key, at) // its own
		s.redis.Await("the other replicas know of it again", func() bool {
			return s.replicas[(i+1)%3].must(key, http.MethodGet, at, "").status == http.StatusOK
		})
	}
	wantDone(t, s.replicas[1:], key, executions)
}
