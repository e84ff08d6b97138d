package analyze

import (
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Page returns the documentation page of all codes, in Markdown.
func Page() string {
	var page strings.Builder
	fmt.Fprintf(&page, `# Findings of `+"`osm analyze`"+`

`+"`osm analyze`"+` finds problems of a mesh and its policies in a cluster or, with `+"`-f`"+`, in files. Each finding is one line with severity,
code, object and message:

    Error [OSM0205] (TrafficTarget shop/web) HTTPRouteGroup paths does not exist, so the rule that refers to it grants nothing: ...

**Error** means that something does not work or is ignored. **Warning** means that it works, but perhaps not as intended. **Info** means that
it may be intended. The meaning of a code never changes. The exit code is 1 if there is a finding with severity Error.

To suppress findings for an object, list their codes in its annotation `+"`%s`"+`, separated by commas; `+"`*`"+` suppresses all
findings. For findings about pods, set the annotation in the pod template of the workload.

| Code | Severity | Title |
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
