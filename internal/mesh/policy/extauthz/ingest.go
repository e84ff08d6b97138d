package extauthz

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// maxBody is the largest part of a body that a server gets, in bytes.
const maxBody = 64 << 10

// Read reads an ExternalAuthorization (policy.openservicemesh.io/v1alpha1). It never allows more than its author means: an
// unusable server never answers, and an invalid selector selects all pods of the namespace.
func Read(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	var found ingest.Problems
	spec, decoded := ingest.DecodeSpec[policyv1alpha1.ExternalAuthorizationSpec](ingest.SpecOf(u), &found)
	policy := &Policy{
		Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Timeout:          ingest.DecisionTimeout("spec.timeout", spec.Timeout, &found),
		FailureModeAllow: spec.FailureModeAllow,
		MaxRequestBytes:  ptr.Deref(found.Number("spec.maxRequestBytes", ptr.To(int64(spec.MaxRequestBytes)), 0, maxBody), 0),
		PathPrefix:       pathPrefix(spec.PathPrefix, &found),
		RequestHeaders:   headerNames("spec.requestHeaders", spec.RequestHeaders, decoded, &found),
		ResponseHeaders:  headerNames("spec.responseHeaders", spec.ResponseHeaders, decoded, &found),
	}
	policy.Selector, _ = ingest.PodSelector(spec.Selector, "selects all pods", &found)
	policy.Service = ingest.ExtensionRef("spec.extensionService", spec.ExtensionService, policy.Name.Namespace, &found)
	for i := range found {
		if wrongType, ok := strings.CutSuffix(found[i].Message, ", so this object is not acted on."); ok {
			found[i].Message = wrongType + ". The field counts as absent."
		}
	}
	return policy, found
}

func pathPrefix(prefix string, found *ingest.Problems) string {
	if prefix == "" || strings.HasPrefix(prefix, "/") && !strings.ContainsAny(prefix, " \t\r\n?#") {
		return prefix
	}
	found.Reject(ingest.ReasonMalformed, "spec.pathPrefix %.80q is not the beginning of a URL path and counts as absent: write one that begins with /, for example /check.", prefix)
	return ""
}

// headerNames reads names of headers, in lower case and sorted. If not everything was decoded, an empty name may stand for a
// value of the wrong type, which is a problem already.
func headerNames(path string, items []string, decoded bool, found *ingest.Problems) []string {
	var list []string
	for i, name := range items {
		switch {
		case name == "" && !decoded:
		case len(name) > ingest.MaxHeaderName:
			found.Reject(ingest.ReasonInvalidHeader, "%s has %d characters, so it is left out: use at most %d.",
				ingest.Indexed(path, i), len(name), ingest.MaxHeaderName)
		case ingest.HeaderNameProblem(ingest.HeaderCopied, name) != "":
			found.Reject(ingest.ReasonInvalidHeader, "%s %.80q is left out, because %s.", ingest.Indexed(path, i), name, ingest.HeaderNameProblem(ingest.HeaderCopied, name))
		default:
			list = append(list, strings.ToLower(name))
		}
	}
	return lists.Unique(list)
}
