package analyze

import (
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Page is the page of the documentation about all codes, in Markdown.
func Page() string {
	var page strings.Builder
	fmt.Fprintf(&page, `# What `+"`osm analyze`"+` finds

`+"`osm analyze`"+` looks at a cluster, or with `+"`-f`"+` at files, for everything about a mesh that is suspicious. Each finding is a line with a
severity, a code, the object and a sentence:

    Error [OSM0205] (TrafficTarget shop/web) HTTPRouteGroup paths does not exist, so the rule that refers to it grants nothing: ...

**Error** is about what does not work or is not acted on, **Warning** about what works, though perhaps not as it is meant, and **Info** about
what may well be meant. Codes never get a new meaning. The exit code is 1 when there is a finding of severity Error.

An object hides findings about itself by the annotation `+"`%s`"+`, which lists codes separated by commas; `+"`*`"+` is all.
Findings about the pods of a workload are hidden by the annotation of its pod template.

| Code | Severity | What |
|---|---|---|
`, names.AnalyzeIgnoreAnnotation)
	all := Codes()
	for _, code := range all {
		fmt.Fprintf(&page, "| [%s](#%s) | %s | %s |\n", code.ID, strings.ToLower(code.ID), code.Severity, code.Title)
	}
	for _, code := range all {
		fmt.Fprintf(&page, "\n## %s\n\n**%s** (%s). %s\n\n%s\n", code.ID, code.Title, code.Severity, code.Meaning, code.Remedy)
	}
	return page.String()
}
