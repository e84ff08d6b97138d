package ingest

import (
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// maxAuthorizationBody is the largest part of a body that a server gets, in bytes.
const maxAuthorizationBody = 64 << 10

// ExternalAuthorization reads an ExternalAuthorization (policy.openservicemesh.io/v1alpha1). It never allows more than its author means: an
// unusable server never answers, and an invalid selector selects all pods of the namespace.
func ExternalAuthorization(u *unstructured.Unstructured) (*catalog.ExternalAuthorizationPolicy, []Problem) {
	var found problems
	spec, decoded := decodeSpec[policyv1alpha1.ExternalAuthorizationSpec](specOf(u), &found)
	policy := &catalog.ExternalAuthorizationPolicy{
		Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Timeout:          authorizationTimeout("spec.timeout", spec.Timeout, &found),
		FailureModeAllow: spec.FailureModeAllow,
		MaxRequestBytes:  valueOrZero(found.number("spec.maxRequestBytes", ptr.To(int64(spec.MaxRequestBytes)), 0, maxAuthorizationBody)),
		PathPrefix:       authorizationPath(spec.PathPrefix, &found),
		RequestHeaders:   headerNames("spec.requestHeaders", spec.RequestHeaders, decoded, &found),
		ResponseHeaders:  headerNames("spec.responseHeaders", spec.ResponseHeaders, decoded, &found),
	}
	policy.Selector, _ = podSelector(spec.Selector, "selects all pods", &found)
	policy.Service = extensionRef("spec.extensionService", spec.ExtensionService, policy.Name.Namespace, &found)
	for i := range found {
		if wrongType, ok := strings.CutSuffix(found[i].Message, ", so this object is not acted on."); ok {
			found[i].Message = wrongType + ". The field counts as absent."
		}
	}
	return policy, found
}

func authorizationPath(prefix string, found *problems) string {
	if prefix == "" || strings.HasPrefix(prefix, "/") && !strings.ContainsAny(prefix, " \t\r\n?#") {
		return prefix
	}
	found.reject(ReasonMalformed, "spec.pathPrefix %.80q is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.", prefix)
	return ""
}

// headerNames reads names of headers, in lower case and sorted. If not everything was decoded, an empty name may stand for a
// value of the wrong type, which is a problem already.
func headerNames(path string, items []string, decoded bool, found *problems) []string {
	var names []string
	for i, name := range items {
		switch {
		case name == "" && !decoded:
		case !httpguts.ValidHeaderFieldName(name):
			found.reject(ReasonInvalidHeader, "%s %.80q is not the name of a header, so it is left out.", indexed(path, i), name)
		default:
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
