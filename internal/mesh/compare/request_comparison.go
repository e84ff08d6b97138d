package compare

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// requestComparison compares requests by examples, before and after the edit.
type requestComparison struct {
	flows *flows
	// to is the destination of the requests.
	to string
	// ask evaluates an example on both sides.
	ask func(s sample) (before, after reply)
	// add adds a flow for the requests of a match whose access changes.
	add func(before, after reply, request, example string, m catalog.HTTPMatch)
}

// compare compares the requests of each match.
func (c requestComparison) compare(matches []catalog.HTTPMatch) {
	methods := mentioned(matches)
	for _, m := range matches {
		c.match(m, methods)
	}
}

// methodReply compares requests with one method.
type methodReply struct {
	method        string
	before, after reply
	example       sample
	differs       bool
}

// match compares the requests of one match.
func (c requestComparison) match(m catalog.HTTPMatch, known []string) {
	methods := m.Methods
	if len(methods) == 0 {
		methods = append(slices.Clone(known), another(known))
	}
	paths, headers := pathsOf(m.PathRegex), headersOf(m.Headers)
	if len(paths) == 0 || headers == nil {
		c.flows.recordUncompared("Requests to %s that match %s: no example of the expression was found, so whether they are allowed was not compared.", c.to, describe(m, "any method"))
		return
	}
	var replies []methodReply
	for _, method := range methods {
		replies = append(replies, c.method(method, paths, headers))
	}
	for len(replies) > 0 {
		first := replies[0]
		var same, rest []methodReply
		for _, r := range replies {
			if r.differs == first.differs && r.before.access == first.before.access && r.after.access == first.after.access {
				same = append(same, r)
			} else {
				rest = append(rest, r)
			}
		}
		if first.differs {
			request := describe(m, methodNames(m, same, len(rest) == 0 && len(same) == len(methods), another(known)))
			c.add(first.before, first.after, request, first.example.String(), m)
		}
		replies = rest
	}
}

// method evaluates examples with one method until a verdict changes.
func (c requestComparison) method(method string, paths []string, headers []authz.Header) methodReply {
	r := methodReply{method: method}
	for _, path := range paths {
		r.example = sample{method: method, path: path, headers: headers}
		r.before, r.after = c.ask(r.example)
		if r.differs = r.before.access != r.after.access; r.differs {
			return r
		}
	}
	return r
}

// methodNames formats the methods of a flow.
func methodNames(m catalog.HTTPMatch, replies []methodReply, all bool, other string) string {
	if all && len(m.Methods) == 0 {
		return "any method"
	}
	var names []string
	for _, r := range replies {
		if len(m.Methods) == 0 && r.method == other {
			names = append(names, "other methods")
		} else {
			names = append(names, r.method)
		}
	}
	return strings.Join(names, ", ")
}

// mentioned returns GET and all methods in the matches.
func mentioned(matches []catalog.HTTPMatch) []string {
	methods := []string{"GET"}
	for _, m := range matches {
		methods = append(methods, m.Methods...)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// another returns a method that is not in known. It stands for all other methods.
func another(known []string) string {
	for _, method := range []string{"PATCH", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "TRACE"} {
		if !slices.Contains(known, method) {
			return method
		}
	}
	return "OTHER"
}
