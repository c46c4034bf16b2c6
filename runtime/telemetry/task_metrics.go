package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// callFunction is the kind of calls of functions of the definition, whose names are its
// author's.
const callFunction = "call function"

// taskKinds are the kinds of tasks.
var taskKinds = []string{
	"call http", "call mcp", "call openapi", callFunction, "do", "emit", "for", "fork", "raise", "run", "set", "switch", "try", "wait",
}

var taskOutcomes = []workflow.TaskPhase{workflow.TaskCompleted, workflow.TaskSkipped, workflow.TaskFaulted, workflow.TaskRetried}

// taskMetrics count the tasks of a kind in the runs of a workflow. They are made with the
// first of these tasks: few workflows have all kinds.
type taskMetrics struct {
	made    sync.Once
	make    func() (outcomes map[workflow.TaskPhase]prometheus.Counter, seconds prometheus.Counter)
	total   map[workflow.TaskPhase]prometheus.Counter
	seconds prometheus.Counter
}

func (m *Metrics) addTasks() {
	m.tasks = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nexus_workflow_tasks_total",
		Help: "Tasks of runs, by workflow, kind and outcome: completed, skipped, faulted, or retried for each further attempt of a try."},
		[]string{"workflow", "kind", "outcome"})
	m.taskSeconds = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nexus_workflow_task_seconds_total",
		Help: "Time that tasks took, those inside them included, by workflow and kind."}, []string{"workflow", "kind"})
	m.registry.MustRegister(m.tasks, m.taskSeconds)
}

func (m *Metrics) tasksOf(name string) map[string]*taskMetrics {
	kinds := make(map[string]*taskMetrics, len(taskKinds))
	for _, kind := range taskKinds {
		kinds[kind] = &taskMetrics{make: func() (map[workflow.TaskPhase]prometheus.Counter, prometheus.Counter) {
			outcomes := make(map[workflow.TaskPhase]prometheus.Counter, len(taskOutcomes))
			for _, outcome := range taskOutcomes {
				outcomes[outcome] = m.tasks.WithLabelValues(name, kind, string(outcome))
			}
			return outcomes, m.taskSeconds.WithLabelValues(name, kind)
		}}
	}
	return kinds
}

// Tasks implements engine.Recorder. Where a workflow runs another one, the tasks of that
// one count for the workflow that was called.
func (r *Recorder) Tasks(name string) func(workflow.TaskEvent) {
	kinds := r.metrics.tasksOf(name)
	return func(event workflow.TaskEvent) {
		if event.Phase == workflow.TaskStarted {
			return
		}
		t, ok := kinds[event.Kind]
		if !ok {
			t = kinds[callFunction]
		}
		t.made.Do(func() { t.total, t.seconds = t.make() })
		t.total[event.Phase].Inc()
		if event.Took > 0 {
			t.seconds.Add(event.Took.Seconds())
		}
	}
}
