package workflow

import (
	"slices"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// maxDepth is how deep workflows may run one another.
const maxDepth = 8

// Link finds the workflows that the programs of one app run, in one another. The
// problems are those of each program, in the order of the programs; a program that is
// nil did not compile, and what refers to it cannot be judged. With any problem, none of
// the programs may run.
func Link(programs []*Program) [][]Problem {
	problems := make([][]Problem, len(programs))
	l := linker{byName: map[string]*Program{}, heights: map[*Program]int{}}
	for _, p := range programs {
		if p != nil {
			l.names, l.byName[p.name] = append(l.names, p.name), p
		}
	}
	l.partial = slices.Contains(programs, nil)
	for i, p := range programs {
		if p == nil {
			continue
		}
		c := compiler{}
		for _, s := range p.subflows {
			l.link(&c, s)
		}
		problems[i] = c.problems
	}
	for i, p := range programs {
		if p == nil {
			continue
		}
		c := compiler{problems: problems[i]}
		for _, s := range p.subflows {
			l.check(&c, p, s)
		}
		problems[i] = c.problems
	}
	return problems
}

// linker links the workflows of an app.
type linker struct {
	names  []string
	byName map[string]*Program
	// partial says that some workflows are not there because they did not compile.
	partial bool
	// heights are how deep each program runs others; 0 for one that is under way, and
	// endless for one that comes to run itself.
	heights map[*Program]int
}

// endless is the height of what comes back to itself.
const endless = -1

// link resolves one reference.
func (l *linker) link(c *compiler, s *subflow) {
	ref := s.reference
	s.target = nil
	target := l.byName[ref.name]
	switch {
	case target == nil && l.partial:
	case target == nil:
		c.problem(ref.at.child("name"), "there is no workflow %q in this app: %s", ref.name, spelling.Suggest(ref.name, l.names))
	case ref.namespace != target.namespace:
		c.problem(ref.at.child("namespace"), "workflow %q has the namespace %q", ref.name, target.namespace)
	case ref.version != target.version && ref.version != "latest":
		c.problem(ref.at.child("version"), "workflow %q has the version %q: write that, or latest", ref.name, target.version)
	default:
		s.target = target
	}
}

// check reports a workflow that comes to run itself through a task of it, or others too
// deep.
func (l *linker) check(c *compiler, p *Program, s *subflow) {
	switch height := l.height(s.target); {
	case height == endless && l.reaches(s.target, p, map[*Program]bool{}):
		c.problem(s.reference.at, "running %q comes to run this workflow again: break the circle", s.reference.name)
	case height > maxDepth:
		c.problem(s.reference.at, "workflows run one another %d deep from here, at most %d: call fewer from within one another", height, maxDepth)
	}
}

// height is how deep workflows run one another from a program on.
func (l *linker) height(p *Program) int {
	if p == nil {
		return 0
	}
	if known, seen := l.heights[p]; seen {
		if known == 0 {
			return endless
		}
		return known
	}
	l.heights[p] = 0
	height := 1
	for _, s := range p.subflows {
		below := l.height(s.target)
		if below == endless {
			height = endless
			break
		}
		height = max(height, below+1)
	}
	l.heights[p] = height
	return height
}

// reaches says whether running one program comes to run another one.
func (l *linker) reaches(from, to *Program, seen map[*Program]bool) bool {
	if from == to {
		return true
	}
	if from == nil || seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(from.subflows, func(s *subflow) bool { return l.reaches(s.target, to, seen) })
}
