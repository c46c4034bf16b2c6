package rest

import (
	"strconv"
	"strings"
)

// offer is what an endpoint can answer with.
type offer int

const (
	// offersJSON is JSON alone.
	offersJSON offer = iota
	// offersEvents is JSON, or a stream of events.
	offersEvents
	// offersPage is JSON, or the page for people where there is one.
	offersPage
	// offersAnyway is for what is not negotiated: probes and scripts ask for all kinds of
	// things.
	offersAnyway
)

// suits says whether the values of the header Accept leave anything that is offered.
// Errors are sent in any case.
func (o offer) suits(accept []string, page bool) bool {
	switch {
	case o == offersAnyway:
		return true
	case quality(accept, jsonType[0]) > 0:
		return true
	case o == offersEvents:
		return quality(accept, eventStream[0]) > 0
	case o == offersPage && page:
		return quality(accept, pageType) > 0
	default:
		return false
	}
}

const pageType = "text/html"

// prefersPage says whether a caller asks for a page by its name, and for nothing rather.
func prefersPage(accept []string) bool {
	return names(accept, pageType) && quality(accept, pageType) >= quality(accept, jsonType[0])
}

// acceptsEvents says whether a caller asks for a stream of events by its name. Who takes
// anything gets JSON.
func acceptsEvents(accept []string) bool {
	return names(accept, eventStream[0]) && quality(accept, eventStream[0]) > 0
}

// names says whether a media type stands in the header itself.
func names(accept []string, media string) bool {
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), media) {
				return true
			}
		}
	}
	return false
}

// quality is how much a caller wants a media type, from 0 for not at all to 1 (RFC 9110
// section 12.5.1). The most specific range that matches it counts; a header without any
// range accepts everything.
func quality(accept []string, media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	best, found, ranges := 0.0, 0, false
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			name = strings.TrimSpace(name)
			ranges = ranges || strings.Contains(name, "/")
			how := 0
			switch {
			case strings.EqualFold(name, media):
				how = 3
			case len(name) == len(kind)+2 && strings.EqualFold(name[:len(kind)], kind) && name[len(kind):] == "/*":
				how = 2
			case name == "*/*":
				how = 1
			}
			if how == 0 || how < found {
				continue
			}
			q := weight(parameters)
			if how > found || q > best {
				best, found = q, how
			}
		}
	}
	if !ranges {
		return 1
	}
	return best
}

// weight reads q out of the parameters of a media range. What is no weight is 1.
func weight(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
			return q
		}
	}
	return 1
}
