package graph

import (
	"cmp"
	"fmt"
	"strings"
)

// The flow directives of the specification.
const (
	thenContinue = "continue"
	thenExit     = "exit"
	thenEnd      = "end"
)

// exit is a way out of a task. Where it leads is known only once the whole list is.
type exit struct {
	from, label string
	dashed      bool
	// then is the directive of this way; empty for that of its task.
	then string
}

// builder makes the model of one workflow after the other.
type builder struct {
	chart chart
	count int
	// use is the definition's use, for what its tasks name.
	use map[string]any
	// ends are the ways that end the workflow wherever they are.
	ends []exit
	// starts are the start nodes by the names of workflows, and runs the tasks that run
	// one.
	starts map[string]string
	runs   []exit
}

func build(definitions []map[string]any) *chart {
	b := &builder{starts: map[string]string{}}
	for _, d := range definitions {
		b.workflow(d)
	}
	for _, run := range b.runs {
		// With one workflow there is nothing to point to, but to itself in a definition
		// that would be refused.
		if start, drawn := b.starts[run.then]; drawn {
			b.connect([]exit{run}, start)
		}
	}
	return &b.chart
}

func (b *builder) workflow(definition map[string]any) {
	document := object(definition["document"])
	name, version := text(document["name"]), text(document["version"])
	b.use, b.ends = object(definition["use"]), nil
	frame := &box{id: b.id(), title: cmp.Or(shorten(name), "workflow")}
	b.chart.boxes = append(b.chart.boxes, frame)
	start := b.node(frame, shapeEnd, lines(shorten(name+" "+version), b.limit(definition))...)
	if _, taken := b.starts[name]; !taken {
		b.starts[name] = start
	}
	entry, exits := b.list(frame, definition["do"])
	b.connect([]exit{{from: start}}, entry)
	// A workflow that never ends well has no end.
	if exits = append(exits, b.ends...); len(exits) > 0 {
		b.connect(exits, b.node(frame, shapeEnd, "end"))
	}
}

func (b *builder) id() string {
	b.count++
	return fmt.Sprintf("n%d", b.count)
}

func (b *builder) node(parent *box, s shape, lines ...string) string {
	n := &node{id: b.id(), shape: s, lines: lines}
	parent.items = append(parent.items, item{node: n})
	return n.id
}

func (b *builder) box(parent *box, title string) *box {
	inner := &box{id: b.id(), title: title}
	parent.items = append(parent.items, item{box: inner})
	return inner
}

func (b *builder) connect(exits []exit, to string) {
	for _, e := range exits {
		b.chart.edges = append(b.chart.edges, edge{from: e.from, to: to, label: e.label, dashed: e.dashed})
	}
}

// list draws the tasks of a scope, and returns where it begins and how it is left.
func (b *builder) list(parent *box, tasks any) (entry string, exits []exit) {
	entries := map[string]string{}
	var jumps, pending []exit
	for name, task := range each(tasks) {
		in, out := b.task(parent, name, task)
		if _, taken := entries[name]; !taken {
			entries[name] = in
		}
		entry = cmp.Or(entry, in)
		b.connect(pending, in)
		pending = nil
		for _, e := range out {
			e.then = cmp.Or(e.then, text(task["then"]), thenContinue)
			switch e.then {
			case thenContinue:
				pending = append(pending, e)
			case thenExit:
				exits = append(exits, e)
			case thenEnd:
				b.ends = append(b.ends, e)
			default:
				jumps = append(jumps, e)
			}
		}
	}
	for _, e := range jumps {
		if to, known := entries[e.then]; known {
			b.connect([]exit{e}, to)
		}
	}
	if entry == "" {
		entry = b.node(parent, shapeStep, "nothing")
		pending = []exit{{from: entry}}
	}
	exits = append(exits, pending...)
	for i := range exits {
		exits[i].then = ""
	}
	return entry, exits
}

// task draws one task, and returns its first node and the ways out of it.
func (b *builder) task(parent *box, name string, task map[string]any) (entry string, exits []exit) {
	condition, conditional := task["if"]
	if !conditional {
		return b.body(parent, name, task)
	}
	entry = b.node(parent, shapeChoice, "if")
	in, exits := b.body(parent, name, task)
	b.connect([]exit{{from: entry, label: shorten(expression(condition))}}, in)
	return entry, append(exits, exit{from: entry, label: "otherwise", dashed: true, then: thenContinue})
}

// body draws a task without its if.
func (b *builder) body(parent *box, name string, task map[string]any) (entry string, exits []exit) {
	name = shorten(name)
	limit := b.limit(task)
	title := strings.Join(lines(name, limit), ", ")
	switch {
	case has(task, "for"):
		return b.loop(b.box(parent, title), task)
	case has(task, "fork"):
		return b.fork(b.box(parent, title), object(task["fork"]))
	case has(task, "try"):
		return b.try(parent, b.box(parent, title), task)
	case has(task, "do"):
		return b.list(b.box(parent, title), task["do"])
	case has(task, "switch"):
		return b.choice(b.node(parent, shapeChoice, lines(name, limit)...), task["switch"])
	default:
		s, what := b.step(task)
		id := b.node(parent, s, lines(name, what, limit)...)
		if s == shapeError {
			return id, nil
		}
		if s == shapeRun {
			b.run(id, object(task["run"]))
		}
		return id, []exit{{from: id}}
	}
}

// run notes that a task runs another workflow.
func (b *builder) run(id string, run map[string]any) {
	label := "runs"
	if run["await"] == false {
		label = "starts"
	}
	b.runs = append(b.runs, exit{from: id, label: label, dashed: true, then: text(object(run["workflow"])["name"])})
}

// choice returns a way for each case. The directive of a case is that of its way; what no
// case matches goes on as the task says.
func (b *builder) choice(id string, cases any) (entry string, exits []exit) {
	otherwise := exit{from: id, label: "otherwise"}
	for _, c := range each(cases) {
		then := text(c["then"])
		if !has(c, "when") {
			otherwise.then = then
			continue
		}
		exits = append(exits, exit{from: id, label: shorten(expression(c["when"])), then: then})
	}
	return id, append(exits, otherwise)
}

// loop draws a for: its tasks lead back to the head.
func (b *builder) loop(frame *box, task map[string]any) (entry string, exits []exit) {
	loop := object(task["for"])
	while := ""
	if has(task, "while") {
		while = "while " + shorten(expression(task["while"]))
	}
	head := b.node(frame, shapeLoop, lines("each "+cmp.Or(shorten(text(loop["each"])), "item")+" in "+shorten(collection(loop["in"])), while)...)
	first, ends := b.list(frame, task["do"])
	b.connect([]exit{{from: head, label: "next"}}, first)
	b.connect(ends, head)
	return head, []exit{{from: head, label: "done"}}
}

// fork draws branches side by side. A branch is one task, and then means nothing in it
// but the end of the workflow.
func (b *builder) fork(frame *box, fork map[string]any) (entry string, exits []exit) {
	meet := "all"
	if fork["compete"] == true {
		meet = "first"
	}
	entry = b.node(frame, shapeFork, "fork")
	var ends []exit
	for name, task := range each(fork["branches"]) {
		in, out := b.task(frame, name, task)
		b.connect([]exit{{from: entry}}, in)
		for _, e := range out {
			if cmp.Or(e.then, text(task["then"])) == thenEnd {
				b.ends = append(b.ends, e)
			} else {
				ends = append(ends, e)
			}
		}
	}
	join := b.node(frame, shapeFork, meet)
	b.connect(ends, join)
	return entry, []exit{{from: join}}
}

// try draws the tasks of a try in frame, and beside it how often they are tried again
// and what its catch does.
func (b *builder) try(parent, frame *box, task map[string]any) (entry string, exits []exit) {
	entry, exits = b.list(frame, task["try"])
	catch := object(task["catch"])
	caught := []exit{{from: frame.id, label: filter(catch), dashed: true}}
	if policy := b.retry(catch); policy != nil {
		again := b.node(parent, shapeLoop, policy...)
		b.connect(caught, again)
		b.connect([]exit{{from: again, label: "again"}}, entry)
		caught = []exit{{from: again, label: "given up", dashed: true}}
		if !has(catch, "do") && !has(catch, "then") {
			caught = nil // a catch that only tries again has not helped: the error stands
		}
	}
	if has(catch, "do") {
		title := "catch"
		if as := text(catch["as"]); as != "" {
			title += " as " + shorten(as)
		}
		first, ends := b.list(b.box(parent, title), catch["do"])
		b.connect(caught, first)
		caught = ends
	}
	for _, e := range caught {
		e.then = text(catch["then"])
		exits = append(exits, e)
	}
	return entry, exits
}
