package ingest

import (
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// maxAuthorizationBody is the largest part of a body that a server gets, in bytes.
const maxAuthorizationBody = 64 << 10

// ExternalAuthorization reads an ExternalAuthorization (policy.openservicemesh.io/v1alpha1). It never allows more than its author means: an
// unusable server never answers, and an invalid selector selects all pods of the namespace.
func ExternalAuthorization(u *unstructured.Unstructured) (*catalog.ExternalAuthorizationPolicy, []Problem) {
	var found problems
	spec := specObject(u, &found)
	policy := &catalog.ExternalAuthorizationPolicy{
		Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Timeout:          authorizationTimeout("spec.timeout", spec.text("timeout"), &found),
		FailureModeAllow: spec.flag("failureModeAllow"),
		MaxRequestBytes:  valueOrZero(spec.number("maxRequestBytes", 0, maxAuthorizationBody)),
		PathPrefix:       authorizationPath(spec),
		RequestHeaders:   headerNames(spec, "requestHeaders"),
		ResponseHeaders:  headerNames(spec, "responseHeaders"),
	}
	policy.Selector, _ = podSelector(spec, "selects all pods")
	policy.Service = extensionRef(spec, policy.Name.Namespace)
	for i := range found {
		if wrongType, ok := strings.CutSuffix(found[i].Message, ", so this object is not acted on."); ok {
			found[i].Message = wrongType + ". The field counts as absent."
		}
	}
	return policy, found
}

func authorizationPath(spec object) string {
	prefix := spec.text("pathPrefix")
	if prefix == "" || strings.HasPrefix(prefix, "/") && !strings.ContainsAny(prefix, " \t\r\n?#") {
		return prefix
	}
	spec.problems.reject(ReasonMalformed, "spec.pathPrefix %.80q is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.", prefix)
	return ""
}

// headerNames reads names of headers, in lower case and sorted.
func headerNames(spec object, key string) []string {
	var names []string
	for i, item := range spec.list(key) {
		name, ok := item.(string)
		switch {
		case !ok:
			spec.problems.malformed(indexed(spec.child(key), i), item, "text")
		case !httpguts.ValidHeaderFieldName(name):
			spec.problems.reject(ReasonInvalidHeader, "%s %.80q is not the name of a header, so it is left out.", indexed(spec.child(key), i), name)
		default:
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
