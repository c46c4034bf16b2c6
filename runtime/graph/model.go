package graph

// chart is a picture, whatever language it is written in.
type chart struct {
	// boxes are the workflows. One alone is drawn without a frame.
	boxes []*box
	edges []edge
}

// shape is what a node is, which each language draws in its own way.
type shape int

const (
	shapeEnd    shape = iota // where a workflow begins or ends
	shapeStep                // set, and what has no shape of its own
	shapeCall                // call
	shapeRun                 // run: another workflow
	shapeChoice              // switch, and the if of a task
	shapeWait                // wait
	shapeEvent               // emit
	shapeError               // raise
	shapeLoop                // the head of for, and the retry of try
	shapeFork                // where branches part and meet
)

// node is a point of the picture. Its lines are text as it stands: to escape them is the
// writers' business.
type node struct {
	id    string
	shape shape
	lines []string
}

// box is a frame around nodes and other boxes, with a title of one line since Mermaid has room for no more.
// It is never empty.
type box struct {
	id    string
	title string
	items []item
}

// item is a node or a box.
type item struct {
	node *node
	box  *box
}

// edge leads to a node, from a node or, with an error that any task in it may end with,
// from a box.
type edge struct {
	from, to string
	label    string
	// dashed is the way that is not the usual one: a task that is skipped, an error that
	// is caught, another workflow.
	dashed bool
}

// first returns the first node in the box.
func (b *box) first() *node {
	for _, i := range b.items {
		if i.node != nil {
			return i.node
		}
		if n := i.box.first(); n != nil {
			return n
		}
	}
	return nil
}
