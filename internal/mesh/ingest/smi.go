package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// splitHeaders returns the spec of an HTTPRouteGroup without the headers of its matches, and the headers by match. The SDK
// type cannot hold headers: it accepts only the list form, and of two expressions for one header it keeps the last.
func splitHeaders(spec any) (any, []any) {
	fields, _ := spec.(map[string]any)
	matches, ok := fields["matches"].([]any)
	if !ok {
		return spec, nil
	}
	matches = slices.Clone(matches)
	headers := make([]any, len(matches))
	for i, item := range matches {
		if match, ok := item.(map[string]any); ok {
			headers[i] = match["headers"]
			match = maps.Clone(match)
			delete(match, "headers")
			matches[i] = match
		}
	}
	fields = maps.Clone(fields)
	fields["matches"] = matches
	return fields, headers
}

// ServiceAccountOf reads a reference to a service account. defaultNamespace applies to a reference without a namespace; when it
// is empty, the reference must have one. Names that no Kubernetes object can have are rejected: with dots in a namespace, two
// service accounts would share a principal.
func ServiceAccountOf(path string, subject accessv1alpha3.IdentityBindingSubject, defaultNamespace string, found *Problems) (identity.ServiceAccount, bool) {
	sa := identity.ServiceAccount{Namespace: subject.Namespace, Name: subject.Name}
	if sa.Namespace == "" {
		sa.Namespace = defaultNamespace
	}
	switch {
	case subject.Kind != "ServiceAccount":
		found.Reject(ReasonUnsupported, "%s has the kind %.40q, which is not acted on: use ServiceAccount.", path, subject.Kind)
	case strings.Contains(sa.Name, "/"):
		found.Reject(ReasonInvalidName, "%s.name %.80q names an account of a peer, but the kind is ServiceAccount, so it is ignored: use the kind %s in spec.sources.", path, sa.Name, PeerServiceAccount)
	case sa.Namespace == "":
		found.Reject(ReasonInvalidName, "%s has no namespace, so it is ignored: write the namespace of the service account.", path)
	case len(validation.IsDNS1123Label(sa.Namespace)) > 0:
		found.Reject(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is ignored.", path, sa.Namespace)
	case len(validation.IsDNS1123Subdomain(sa.Name)) > 0:
		found.Reject(ReasonInvalidName, "%s.name %.80q is not the name of a service account, so it is ignored.", path, sa.Name)
	default:
		return sa, true
	}
	return identity.ServiceAccount{}, false
}

// TCPRoute reads an SMI TCPRoute (specs.smi-spec.io/v1alpha4), whose matches field is one object. A route with an
// invalid port has no entry: no ports means every port, so skipping the invalid one could allow all.
func TCPRoute(u *unstructured.Unstructured) (*catalog.TCPRoute, []Problem) {
	spec, found, ok := DecodeObject[specsv1alpha4.TCPRouteSpec](u)
	if !ok {
		return nil, found
	}
	route := &catalog.TCPRoute{Name: NameOf(u)}
	for _, port := range spec.Matches.Ports {
		if port < 1 || port > 65535 {
			found.Reject(ReasonInvalidPort, "spec.matches.ports has %d, which is not a port, so this TCPRoute is not used: write numbers from 1 to 65535.", port)
			continue
		}
		route.Ports = append(route.Ports, uint16(port))
	}
	if len(found) > 0 {
		return nil, found
	}
	route.Ports = lists.Unique(route.Ports)
	return route, nil
}

// UDPRoute validates an SMI UDPRoute (specs.smi-spec.io/v1alpha4). It has no entry, because sidecars do not intercept
// UDP.
func UDPRoute(*unstructured.Unstructured) []Problem {
	var found Problems
	found.Warn(ReasonNotCaptured, "Sidecars do not intercept UDP, so this UDPRoute is not enforced, and UDP traffic bypasses the mesh: block it with a NetworkPolicy if necessary.")
	return found
}

// HTTPRouteGroup reads an SMI HTTPRouteGroup (specs.smi-spec.io/v1alpha4). It skips matches that are not usable. A group
// without matches grants nothing.
func HTTPRouteGroup(u *unstructured.Unstructured) (*catalog.HTTPRouteGroup, []Problem) {
	var found Problems
	fields, headersByMatch := splitHeaders(SpecOf(u))
	spec, ok := DecodeSpec[specsv1alpha4.HTTPRouteGroupSpec](fields, &found)
	if !ok {
		return nil, found
	}
	group := &catalog.HTTPRouteGroup{Name: NameOf(u)}
	names := map[string]bool{}
	for i, m := range spec.Matches {
		path := fmt.Sprintf("spec.matches[%d]", i)
		match, usable := httpMatch(path, m, headersByMatch[i], &found)
		switch {
		case names[match.Name]:
			found.Reject(ReasonDuplicateMatch, "%s has the name %.80q of a match before it, and is not used: give each match its own name.", path, match.Name)
		case usable:
			group.Matches = append(group.Matches, match)
		}
		names[match.Name] = true
	}
	if len(spec.Matches) == 0 {
		found.Idle(ReasonGrantsNothing, "spec.matches is empty, so TrafficTargets that refer to this HTTPRouteGroup grant nothing by it: name at least one match.")
	}
	return group, found
}

// httpMatch reads one match and reports whether it is usable.
func httpMatch(path string, m specsv1alpha4.HTTPMatch, headerSpec any, found *Problems) (catalog.HTTPMatch, bool) {
	match := catalog.HTTPMatch{Name: m.Name, PathRegex: m.PathRegex}
	usable := true
	if err := CheckRegex(match.PathRegex); err != nil {
		found.Reject(ReasonInvalidRegex, "%s.pathRegex of the match %.80q is rejected and the match not used: %s.", path, match.Name, err)
		usable = false
	}
	if usable {
		warnAboutPath(path, match, found)
	}
	if match.PathRegex == ".*" {
		match.PathRegex = "" // every path, in the form that compares equal
	}
	var ok bool
	if match.Methods, ok = methods(path, m.Methods, found); !ok {
		usable = false
	}
	if match.Headers, ok = headers(path+".headers", headerSpec, found); !ok {
		usable = false
	}
	return match, usable
}

// methods reads the methods of a match. An empty list and * mean any method.
func methods(path string, list []string, found *Problems) ([]string, bool) {
	var all []string
	for _, method := range list {
		method = strings.ToUpper(method)
		if method == "*" {
			return nil, true
		}
		if !httpguts.ValidHeaderFieldName(method) { // methods and header names are both tokens of RFC 9110
			found.Reject(ReasonInvalidMethod, "%s.methods has %.40q, which is not a method of HTTP, and the match is not used.", path, method)
			return nil, false
		}
		if !slices.Contains(knownMethods, method) {
			found.Warn(ReasonInvalidMethod, "%s.methods has %.40q, which is no usual method of HTTP, so it allows no usual request: write for example GET or POST.", path, method)
		}
		all = append(all, method)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(strings.Join(all, "|")) > maxMethods {
		found.Reject(ReasonInvalidMethod, "%s.methods has more than %d characters, and the match is not used: name the methods that clients use.", path, maxMethods)
		return nil, false
	}
	return all, true
}

// maxMethods is the maximum length of the methods of a match, in bytes. They become one expression, and Envoy rejects one that is too long.
const maxMethods = 256

// The schema has no bounds for headers, and cannot get any: the Operator Lifecycle Manager rejects an upgrade that restricts a field.
const (
	// maxHeaders is the maximum number of headers in a match.
	maxHeaders = 16
	// MaxHeaderName is the maximum length of the name of a header, in bytes.
	MaxHeaderName = 128
)

// countHeaders returns how many headers a match has, in both forms. Each other element of the list counts as one.
func countHeaders(spec any) int {
	switch value := spec.(type) {
	case map[string]any:
		return len(value)
	case []any:
		count := 0
		for _, element := range value {
			fields, _ := element.(map[string]any)
			count += max(1, len(fields))
		}
		return count
	}
	return 0
}

// headers reads the headers of a match in both forms in use: a list of objects with one header each (the SMI SDK), and one
// object with all headers (the SMI specification). All of them must match. It reports whether they are usable.
func headers(path string, spec any, found *Problems) ([]catalog.HeaderMatch, bool) {
	if count := countHeaders(spec); count > maxHeaders {
		found.Reject(ReasonInvalidHeader, "%s has %d headers, and the match is not used: use at most %d, or several matches.", path, count, maxHeaders)
		return nil, false
	}
	var all []catalog.HeaderMatch
	usable := true
	collect := func(path string, fields map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			header, err := headerMatch(name, fields[name])
			if err != nil {
				found.Reject(err.reason, "%s %.80q is rejected and the match not used: %s.", path, name, err.text)
				usable = false
			} else {
				warnAboutHeader(path, header, found)
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
				found.Reject(ReasonInvalidHeader, "%s[%d] is %s, and the match is not used: write one header and its regular expression, for example - user-agent: \".*\".", path, i, describe(element))
				usable = false
			}
			collect(fmt.Sprintf("%s[%d]", path, i), fields)
		}
	default:
		found.Reject(ReasonInvalidHeader, "%s is %s, and the match is not used: write a list of headers and their regular expressions.", path, describe(value))
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
	case len(match.Name) > MaxHeaderName:
		return match, &headerProblem{ReasonInvalidHeader, fmt.Sprintf("it has %d characters: use at most %d", len(match.Name), MaxHeaderName)}
	case !ok:
		return match, &headerProblem{ReasonInvalidHeader, "its value is " + describe(value) + ": write a regular expression as text"}
	case match.Name == ":authority":
	case strings.HasPrefix(match.Name, ":"):
		return match, &headerProblem{ReasonInvalidHeader, "only the pseudo-header :authority can be matched: use pathRegex and methods for the others"}
	case HeaderNameProblem(HeaderMatched, match.Name) != "":
		return match, &headerProblem{ReasonInvalidHeader, HeaderNameProblem(HeaderMatched, match.Name)}
	}
	if err := CheckRegex(regex); err != nil {
		return match, &headerProblem{ReasonInvalidRegex, err.Error()}
	}
	return match, nil
}
