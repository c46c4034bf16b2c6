package workflow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// Limits of one run.
const (
	// expressionTime is how much CPU time one expression may take.
	expressionTime = 50 * time.Millisecond
	// maxStall is how long an expression may take that has to wait for the CPU.
	maxStall = 10 * time.Second
	// runTime is how much CPU time all expressions of a run, and the checks of what they
	// give, may take together.
	runTime = 2 * time.Second
	// maxTransitions is how many tasks a run may start.
	maxTransitions = 10_000
	// maxIterations is how many iterations the loops of a run may have together.
	maxIterations = 10_000
	// maxLive is how many branches of a run may be under way at once.
	maxLive = 256
	// maxSpawned is how many other runs a run may start and leave to themselves.
	maxSpawned = 100
	// maxOutputBytes is the size of a task's output, and of any expression's value, as
	// JSON text; maxContextBytes that of $context, and maxResponseBytes that of what a
	// call gets before the task selects from it.
	maxOutputBytes   = 1 << 20
	maxContextBytes  = 256 << 10
	maxResponseBytes = 10 << 20
	// maxOutputDepth is how deep a task's output may be nested: twice what an input
	// may be.
	maxOutputDepth = 128
)

var processStart = time.Now()

// shared is what all lines of control of a run share: its branches, and the workflows
// that it runs.
type shared struct {
	host    *Host
	clock   Clock
	options Options

	transitions, iterations, live, spawned atomic.Int64
	// spent is the time, in nanoseconds, that expressions and the checks of what they
	// give took so far.
	spent atomic.Int64
	// held is the memory that the lines of control have claimed: see claim.
	held atomic.Int64
	// secrets are the app's, once the run has asked for one; revealed are the names of those
	// that it read, and redact takes their values out of texts.
	readSecrets sync.Once
	secrets     map[string]any
	revealed    sync.Map
	redact      redactor
}

// run is one line of control: a workflow, or a branch of a fork.
type run struct {
	shared  *shared
	program *Program
	ctx     context.Context
	// raw is the workflow's input as it came.
	raw     any
	started time.Time
	// context is $context.
	context any
	// frame is the task that runs now.
	frame frame
	// values are made when an expression first asks for them.
	workflowValue, secretsValue any
	// declared are the values of the variables that tasks declare.
	declared []any
	watch    *stopwatch
	ledger
}

// frame is what expressions see of one task.
type frame struct {
	task              *task
	rawInput, input   any
	rawOutput, output any
	hasOutput         bool
	authorization     any
	started           time.Time
}

// Run executes the workflow. The error is a *fault.Error: WorkflowFailed, with the
// status for the caller and the specification's error as Problem; Timeout, also when ctx
// ended; or Overloaded, when the runs of this process hold all the memory that there is
// for them. Inputs are what validate.Decode returns and are not changed; the result may
// share memory with them and with the program, so neither may be changed afterwards. No
// goroutine of the run outlives it.
func (p *Program) Run(ctx context.Context, inputs any, host *Host, o Options) (any, error) {
	r := newRun(ctx, p, inputs, host, o)
	defer r.shared.settle()
	result, err := r.guarded(r.workflow)
	if err != nil {
		return nil, r.fault(err)
	}
	return r.shared.redact.value(result), nil
}

// newRun returns the first line of control of a run.
func newRun(ctx context.Context, p *Program, inputs any, host *Host, o Options) *run {
	if host == nil {
		host = &Host{}
	}
	s := &shared{host: host, clock: host.Clock, options: o}
	if s.clock == nil {
		s.clock = systemClock{}
	}
	return s.line(ctx, p, inputs)
}

// line returns the line of control of a workflow.
func (s *shared) line(ctx context.Context, p *Program, inputs any) *run {
	return &run{shared: s, program: p, ctx: ctx, raw: inputs, context: emptyContext, started: s.clock.Now()}
}

// guarded runs what a line of control does; a panic is an error like any other.
func (r *run) guarded(do func() (any, error)) (result any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.watch.stop()
			result, err = nil, fmt.Errorf("panic in workflow %s: %v\n%s", r.program.name, cause, debug.Stack())
		}
	}()
	return do()
}

// workflow is the data flow of a whole run: timeout, input.from, the tasks, output.as.
func (r *run) workflow() (any, error) {
	p := r.program
	if n := p.variables; n > 0 {
		r.declared = make([]any, n)
		if err := r.hold(slotBytes * int64(n)); err != nil {
			return nil, err
		}
	}
	if p.timeout == nil {
		return r.body()
	}
	limit, err := p.timeout.evaluate(r, r.raw)
	if err != nil {
		return nil, blame("/timeout", err)
	}
	var data any
	err = r.within(limit, func() error {
		var err error
		data, err = r.body()
		return err
	})
	return data, blame("/timeout", err)
}

func (r *run) body() (any, error) {
	p := r.program
	input, err := p.from.made(r, r.raw, "the input")
	if err != nil {
		return nil, blame("/input/from", err)
	}
	data, _, err := p.tasks.run(r, input)
	if err != nil {
		return nil, err
	}
	if p.as != nil {
		r.frame = frame{input: input}
		if data, err = p.as.apply(r, data); err != nil {
			return nil, blame("/output/as", err)
		}
		if data, _, err = r.weigh(data, maxOutputBytes, "the output of the workflow"); err != nil {
			return nil, blame("/output/as", err)
		}
	}
	if err := r.validate(p.outputSchema, data, "the output does not match the workflow's own output schema"); err != nil {
		return nil, blame("/output", ours(err))
	}
	return data, nil
}

// blame says which part of the definition an error comes from, unless that is known.
func blame(pointer string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Instance == "" {
		e.Instance = pointer
	}
	return err
}

// ours marks an error as the workflow's fault, and not that of the inputs.
func ours(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.ours = true
	}
	return err
}

// validate checks a value with a schema; no schema takes everything. The violations name
// fields of the schema, and are for the log. The time it took is counted by the number of
// values, because nothing interrupts a validator.
func (r *run) validate(s *schema, value any, detail string, args ...any) error {
	if s == nil {
		return nil
	}
	violation := s.check(value)
	each := fullCheckTime
	if violation == nil && s.quick != nil {
		each = quickCheckTime
	}
	if err := r.spend(time.Duration(count(value, maxChecked)) * each); err != nil {
		return err
	}
	if violation == nil {
		return nil
	}
	return NewError(ValidationError, fmt.Errorf("%w: %v", violation, fault.As(violation).Violations), detail, args...)
}

// About how long it takes to look at one value: to weigh it, to recognize it as valid, to
// validate it.
const (
	weighTime      = 20 * time.Nanosecond
	quickCheckTime = 50 * time.Nanosecond
	fullCheckTime  = time.Microsecond
)

// spend counts time that the run used besides the time that its expressions took.
func (r *run) spend(d time.Duration) error {
	// What is next to nothing is not counted: the counter is shared by all branches.
	if d < time.Microsecond || r.shared.spent.Add(int64(d)) <= int64(runTime) {
		return nil
	}
	return outOfTime()
}

func outOfTime() error {
	return exhausted("the expressions of this run, and the checks of what they give, took more than %v together", runTime)
}

// exhausted is the failure of a run that used up what it may: no catch can help.
func exhausted(detail string, args ...any) error {
	e := NewError(RuntimeError, nil, detail, args...)
	e.final = true
	return e
}

// errEnded says that the run was ended from outside: its caller went away, or its time
// is over. No catch sees it.
var errEnded = errors.New("the run was ended")

// ended is the error of whatever notices that the run's context ended.
func (r *run) ended() error {
	cause := context.Cause(r.ctx)
	if cause == nil {
		cause = context.DeadlineExceeded // the context is a moment late to say so
	}
	return fmt.Errorf("%w: %w", errEnded, cause)
}

// expired says whether the run's context has ended; it may be a moment late to say so
// itself.
func (r *run) expired() bool {
	deadline, ok := r.ctx.Deadline()
	return r.ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
