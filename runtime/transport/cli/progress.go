package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// IsTerminal says whether a stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// WantsColor says whether colors are wanted on a terminal (https://no-color.org).
func WantsColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// The colors of a terminal (ECMA-48).
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	faint  = "\x1b[2m"
	plain  = "\x1b[0m"
)

// marks are what stands before a task, and in which color, by its status.
var marks = map[string]struct{ sign, color string }{
	"completed": {"+", green},
	"skipped":   {"-", faint},
	"retried":   {"~", yellow},
	"faulted":   {"!", red},
}

// Progress writes a line for each task.
func Progress(out io.Writer, color bool) func(Task) {
	return func(t Task) {
		mark, known := marks[t.Status]
		if !known {
			mark.sign, mark.color = "?", plain
		}
		sign := mark.sign
		if color {
			sign = mark.color + sign + plain
		}
		line := fmt.Sprintf("%s (%s) %s", t.Name, t.Kind, t.Status)
		switch t.Status {
		case "completed", "faulted":
			line += " after " + seconds(t.Took)
		}
		if t.Error != nil {
			line += ": " + cmp.Or(t.Error.Detail, t.Error.Title, fmt.Sprintf("status %d", t.Error.Status))
		}
		_, _ = fmt.Fprintln(out, sign, Printable(line))
	}
}
