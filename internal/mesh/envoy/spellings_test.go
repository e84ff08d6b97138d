package envoy

import (
	"regexp"
	"strings"
	"testing"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	"pgregory.net/rapid"
)

// TestOtherSpellings checks that a name loses all names that differ from it in separators only, and no others.
func TestOtherSpellings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-c][a-c.]{0,2}([-_][a-c.]{0,2}){0,5}`).Draw(t, "name")
		other := rapid.Map(rapid.StringMatching(`[-_]{20}`), func(separators string) string { return respell(name, separators) }).Draw(t, "other")
		if rapid.IntRange(0, 3).Draw(t, "unrelated") == 0 {
			other = rapid.StringMatching(`[a-c][a-c.]{0,2}([-_][a-c.]{0,2}){0,5}`).Draw(t, "unrelated name")
		}
		plain := func(name string) string { return strings.ReplaceAll(name, "_", "-") }
		want := other != name && plain(other) == plain(name)
		if got := removes(otherSpellings(name), other); got != want {
			t.Fatalf("%q is removed because of %q: %t, want %t", other, name, got, want)
		}
	})
}

// TestMeshSpellings checks the names that the mesh itself reads or sets.
func TestMeshSpellings(t *testing.T) {
	for name, want := range map[string]bool{
		"x_forwarded_for": true, "x-forwarded_for": true, "x_forwarded-client-cert": true, "x-forwarded-client_cert": true, "x_envoy_internal": true,
		"x-envoy-retry_on": true, "x_osm_destination": true, "x-osm-envoy_healthcheck": true, "x_request_id": true, "content_length": true,
		"x-forwarded-for": false, "x-envoy-internal": false, "x-request-id": false, "client_id": false, "x_user": false, "x_forwardedfor": false, "my_x_forwarded_for": false,
	} {
		if got := removes(meshSpellings, name); got != want {
			t.Errorf("%q is removed: %t, want %t", name, got, want)
		}
	}
}

// respell replaces the separators of a name, in order.
func respell(name, separators string) string {
	out := []byte(name)
	for i := range out {
		if out[i] == '-' || out[i] == '_' {
			out[i], separators = separators[0], separators[1:]
		}
	}
	return string(out)
}

func removes(mutations []*mutationv3.HeaderMutation, name string) bool {
	for _, m := range mutations {
		expression := m.GetRemoveOnMatch().GetKeyMatcher().GetSafeRegex().GetRegex()
		if m.GetRemove() == name || expression != "" && regexp.MustCompile("^(?:"+expression+")$").MatchString(name) {
			return true
		}
	}
	return false
}
