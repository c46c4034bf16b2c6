package v1alpha1

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// reservedPaths are the first segments of the URLs that the runtime itself serves,
// or will: a workflow's route may not start with one of them.
var reservedPaths = []string{"workflows", "executions", "sessions", "health", "openapi.json", "docs", "mcp", ".well-known"}

// validateRoutes refuses routes that shadow the runtime's own URLs, or that no rule
// orders: two routes of one method may both match a path only where one of them is
// the more specific in every segment.
func validateRoutes(workflows []Workflow, path *field.Path) field.ErrorList {
	type owned struct {
		Route
		workflow string
	}
	var errs field.ErrorList
	var all []owned
	for i := range workflows {
		for j, route := range workflows[i].Routes {
			at := path.Index(i).Child("routes").Index(j)
			errs = append(errs, validateRoute(route, at.Child("path"))...)
			for _, other := range all {
				if other.Method == route.Method && ambiguous(other.Path, route.Path) {
					errs = append(errs, field.Invalid(at, route.Method+" "+route.Path,
						fmt.Sprintf("collides with the route %s %s of workflow %q: change one of the paths", other.Method, other.Path, other.workflow)))
				}
			}
			all = append(all, owned{route, workflows[i].Name})
		}
	}
	return errs
}

func validateRoute(route Route, at *field.Path) field.ErrorList {
	segments := strings.Split(strings.TrimPrefix(route.Path, "/"), "/")
	var errs field.ErrorList
	if slices.Contains(reservedPaths, segments[0]) {
		errs = append(errs, field.Invalid(at, route.Path,
			"the runtime itself serves /workflows, /executions, /sessions, /health, /openapi.json, /docs, /mcp and /.well-known: choose another first segment, for example /api"))
	}
	seen := map[string]bool{}
	for _, s := range segments {
		if s == "." || s == ".." {
			errs = append(errs, field.Invalid(at, route.Path, "the segments . and .. are resolved before routing: remove them"))
		}
		if isVariable(s) && seen[s] {
			errs = append(errs, field.Invalid(at, route.Path, fmt.Sprintf("the variable %s stands twice: rename one", s)))
		}
		seen[s] = true
	}
	return errs
}

// ambiguous says whether two paths match a common request path and neither is at
// least as specific as the other in every segment.
func ambiguous(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	if len(as) != len(bs) {
		return false
	}
	aNarrower, bNarrower := false, false
	for i := range as {
		switch {
		case isVariable(as[i]) && isVariable(bs[i]):
		case isVariable(as[i]):
			bNarrower = true
		case isVariable(bs[i]):
			aNarrower = true
		case as[i] != bs[i]:
			return false
		}
	}
	return aNarrower == bNarrower
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }
