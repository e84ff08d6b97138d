package ingest

import (
	"maps"
	"slices"
)

// warnUnknownLimits warns about kinds of rate limits that have no effect. The API keeps them, and the Go types do not have them,
// so they are read from the undecoded object.
func warnUnknownLimits(path string, limits any, found *problems) {
	fields, _ := limits.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key != "local" && key != "global" {
			found.warn(ReasonUnsupported, "%s.%.40s is kept and has no effect in this version of the mesh: write %s.local to limit rates.", path, key, path)
		}
	}
}

// warnUnknownRouteLimits is warnUnknownLimits for a route of the undecoded list.
func warnUnknownRouteLimits(path string, routes any, i int, found *problems) {
	items, _ := routes.([]any)
	fields, _ := items[i].(map[string]any)
	warnUnknownLimits(path+".rateLimit", fields["rateLimit"], found)
}
