package ingest

import (
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// HTTPRouteGroup reads an SMI HTTPRouteGroup (specs.smi-spec.io/v1alpha4). A match that cannot be used is left out and the others
// stay; a group without matches grants nothing to whoever refers to it.
func HTTPRouteGroup(u *unstructured.Unstructured) (*catalog.HTTPRouteGroup, []Problem) {
	var found problems
	spec := specOf(u, &found)
	group := &catalog.HTTPRouteGroup{Name: nameOf(u)}
	names := map[string]bool{}
	for _, item := range spec.objects("matches") {
		match, ok := httpMatch(item)
		switch {
		case names[match.Name]:
			found.refuse(ReasonDuplicateMatch, "%s has the name %.80q of a match before it, and is not used: give each match its own name.", item.path, match.Name)
		case ok:
			group.Matches = append(group.Matches, match)
		}
		names[match.Name] = true
	}
	if malformed := found.malformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(spec.list("matches")) == 0 {
		found.warn(ReasonGrantsNothing, "spec.matches is empty, so whoever refers to this HTTPRouteGroup grants nothing by it: name at least one match.")
	}
	return group, found
}

// httpMatch reads one match and says whether it can be used.
func httpMatch(item object) (catalog.HTTPMatch, bool) {
	match := catalog.HTTPMatch{Name: item.text("name"), PathRegex: item.text("pathRegex")}
	usable := true
	if err := checkRegex(match.PathRegex); err != nil {
		item.problems.refuse(ReasonInvalidRegex, "%s.pathRegex of the match %.80q is refused and the match not used: %s.", item.path, match.Name, err)
		usable = false
	}
	if match.PathRegex == ".*" {
		match.PathRegex = "" // every path, in the form that compares equal
	}
	var ok bool
	if match.Methods, ok = methods(item); !ok {
		usable = false
	}
	if match.Headers, ok = headers(item); !ok {
		usable = false
	}
	return match, usable
}

// methods reads the methods: none, or * among them, means any.
func methods(item object) ([]string, bool) {
	var all []string
	for _, method := range item.texts("methods") {
		method = strings.ToUpper(method)
		if method == "*" {
			return nil, true
		}
		if !httpguts.ValidHeaderFieldName(method) { // the same characters as in a method: a token of RFC 9110
			item.problems.refuse(ReasonInvalidMethod, "%s.methods has %.40q, which is not a method of HTTP, and the match is not used.", item.path, method)
			return nil, false
		}
		all = append(all, method)
	}
	slices.Sort(all)
	return slices.Compact(all), true
}
