package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// headers reads the headers of a match in both forms in use: a list of objects with one header each (the SMI SDK), and one
// object with all headers (the SMI specification). All of them must match. It reports whether they are usable.
func headers(path string, spec any, found *problems) ([]catalog.HeaderMatch, bool) {
	var all []catalog.HeaderMatch
	usable := true
	collect := func(path string, fields map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			header, err := headerMatch(name, fields[name])
			if err != nil {
				found.reject(err.reason, "%s %.80q is rejected and the match not used: %s.", path, name, err.text)
				usable = false
			}
			all = append(all, header)
		}
	}
	switch value := spec.(type) {
	case nil:
	case map[string]any:
		collect(path, value)
	case []any:
		for i, element := range value {
			fields, ok := element.(map[string]any)
			if !ok {
				found.reject(ReasonInvalidHeader, "%s[%d] is %s, and the match is not used: write one header and its regular expression, for example - user-agent: \".*\".", path, i, describe(element))
				usable = false
			}
			collect(fmt.Sprintf("%s[%d]", path, i), fields)
		}
	default:
		found.reject(ReasonInvalidHeader, "%s is %s, and the match is not used: write a list of headers and their regular expressions.", path, describe(value))
		usable = false
	}
	slices.SortFunc(all, func(a, b catalog.HeaderMatch) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Regex, b.Regex))
	})
	return slices.Compact(all), usable
}

// headerProblem is why a header cannot be matched.
type headerProblem struct{ reason, text string }

// headerMatch reads one header.
func headerMatch(name string, value any) (catalog.HeaderMatch, *headerProblem) {
	match := catalog.HeaderMatch{Name: strings.ToLower(name)}
	if match.Name == "host" {
		match.Name = ":authority"
	}
	regex, ok := value.(string)
	match.Regex = regex
	switch {
	case !ok:
		return match, &headerProblem{ReasonInvalidHeader, "its value is " + describe(value) + ": write a regular expression as text"}
	case match.Name == ":authority":
	case strings.HasPrefix(match.Name, ":"):
		return match, &headerProblem{ReasonInvalidHeader, "only the pseudo-header :authority can be matched: use pathRegex and methods for the others"}
	case !httpguts.ValidHeaderFieldName(match.Name):
		return match, &headerProblem{ReasonInvalidHeader, "it is not the name of a header"}
	case strings.Contains(match.Name, "_"):
		return match, &headerProblem{ReasonInvalidHeader, "sidecars reject requests that have header names with underscores: use dashes"}
	}
	if err := checkRegex(regex); err != nil {
		return match, &headerProblem{ReasonInvalidRegex, err.Error()}
	}
	return match, nil
}
