package envoy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestRouteNamesAreCut checks names of routes with and without long parts.
func TestRouteNamesAreCut(t *testing.T) {
	for want, match := range map[string]catalog.HTTPMatch{
		".*":                              {},
		"GET,PUT /a x-one x-two":          {PathRegex: "/a", Methods: []string{"GET", "PUT"}, Headers: []catalog.HeaderMatch{{Name: "x-one"}, {Name: "x-two"}}},
		strings.Repeat("/", maxRouteName): {PathRegex: strings.Repeat("/", maxRouteName)},
		strings.Repeat("/", maxRouteName-1) + "…":         {PathRegex: strings.Repeat("/", maxRouteName+1)},
		"/a " + strings.Repeat("x", maxRouteName-4) + "…": {PathRegex: "/a", Headers: []catalog.HeaderMatch{{Name: strings.Repeat("x", maxRouteName)}}},
		"/a " + strings.Repeat("x", maxRouteName-3):       {PathRegex: "/a", Headers: []catalog.HeaderMatch{{Name: strings.Repeat("x", maxRouteName-3)}}},
	} {
		if got := routeName(match); got != want {
			t.Errorf("the name is %q, want %q", got, want)
		}
	}
}

// TestRouteNamesNeedLittleMemory checks that the name of a route with many headers does not need memory for the square of their number.
func TestRouteNamesNeedLittleMemory(t *testing.T) {
	match := catalog.HTTPMatch{PathRegex: "/"}
	for i := range 2000 {
		match.Headers = append(match.Headers, catalog.HeaderMatch{Name: fmt.Sprintf("x-%05d", i)})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	routeName(match)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<18 {
		t.Errorf("the name needed %d bytes", used)
	}
}
