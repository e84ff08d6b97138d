package compare

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// outsideFlow is a flow from or to a destination outside the mesh whose access changes.
func outsideFlow(from, to, request, example string, before, after reply) Flow {
	flow := Flow{From: from, To: to, Request: request, Example: example, Before: before.access, After: after.access, By: after.policies}
	if flow.Denies() {
		flow.By, flow.Seen = before.policies, after.seen
	}
	return flow
}

// denials describe the outcomes that deny a request without a server.
var denials = map[authz.Outcome]string{authz.NotFound: "status 404", authz.BadRequest: "status 400"}

// denial returns the reply of a sidecar that denies a request.
func denial(outcome authz.Outcome) reply {
	if text := denials[outcome]; text != "" {
		return reply{access: Denied, seen: text}
	}
	return reply{access: Denied, seen: "the connection is closed"}
}

// withoutDuplicates returns each match once, without its name, sorted.
func withoutDuplicates(lists ...[]catalog.HTTPMatch) []catalog.HTTPMatch {
	var all []catalog.HTTPMatch
	seen := map[string]bool{}
	for _, m := range slices.Concat(lists...) {
		m.Name = ""
		if id := matchKey(m); !seen[id] {
			seen[id] = true
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b catalog.HTTPMatch) int { return strings.Compare(matchKey(a), matchKey(b)) })
	return all
}

// prefixed puts a word before each name.
func prefixed(word string, names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, word+" "+name)
	}
	return list
}
