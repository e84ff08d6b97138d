package envoy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// edited applies edits as Envoy does: it removes headers, replaces others, and appends the rest.
func edited(headers []catalog.HeaderValue, edits catalog.HeaderEdits) []catalog.HeaderValue {
	out := slices.Clone(headers)
	remove := func(name string) {
		out = slices.DeleteFunc(out, func(h catalog.HeaderValue) bool { return strings.EqualFold(h.Name, name) })
	}
	for _, name := range edits.Remove {
		remove(name)
	}
	for _, h := range edits.Set {
		remove(h.Name)
		out = append(out, h)
	}
	return append(out, edits.Add...)
}

// values returns the values of each header, in their order.
func values(headers []catalog.HeaderValue) map[string]string {
	out := map[string]string{}
	for _, h := range headers {
		out[strings.ToLower(h.Name)] += h.Value + ","
	}
	return out
}

// anyEdits draws edits in which each name occurs once, as the definition of HTTPRoutes demands of each list.
func anyEdits(t *rapid.T, label string) (edits catalog.HeaderEdits) {
	for i, name := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, label+" in capitals") {
			name = strings.ToUpper(name)
		}
		value := catalog.HeaderValue{Name: name, Value: label + string(rune('0'+i))}
		switch rapid.IntRange(0, 3).Draw(t, label) {
		case 1:
			edits.Set = append(edits.Set, value)
		case 2:
			edits.Add = append(edits.Add, value)
		case 3:
			edits.Remove = append(edits.Remove, name)
		}
	}
	return edits
}

// Edits in order have the same effect as one after the other.
func TestEditsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := anyEdits(t, "first"), anyEdits(t, "second")
		headers := []catalog.HeaderValue{{Name: "a", Value: "request"}, {Name: "c", Value: "request"}}
		want, got := values(edited(edited(headers, first), second)), values(edited(headers, editsInOrder(first, second)))
		for _, name := range []string{"a", "b", "c"} {
			if got[name] != want[name] {
				t.Errorf("%s is %q, want %q, after %v and %v", name, got[name], want[name], first, second)
			}
		}
	})
}
