package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/cluster"
)

func printStatus(out io.Writer, s cluster.Status, format string) error {
	switch format {
	case "json":
		return printJSON(out, s)
	case "table":
	default:
		return fmt.Errorf("no output format %q: use table or json", format)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tPID\tHEALTHY\tPROBLEM")
	for _, p := range append(s.Parts, s.Node, s.DNS) {
		pid := "-"
		if p.PID != 0 {
			pid = fmt.Sprint(p.PID)
		}
		healthy := "no"
		if p.Healthy {
			healthy = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, pid, healthy, p.Problem)
	}
	return w.Flush()
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
