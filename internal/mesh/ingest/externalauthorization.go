package ingest

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
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

const (
	// defaultAuthorizationTimeout and defaultAuthorizationPrefix are those of OSM.
	defaultAuthorizationTimeout = time.Second
	defaultAuthorizationPrefix  = "inboundExtAuthz"
	// maxAuthorizationTimeout bounds how long a server can delay requests.
	maxAuthorizationTimeout = time.Minute
)

// externalAuthorization reads the server that authorizes inbound requests; nil if it is disabled. A server without a usable address is
// one that never answers: ignoring it would allow what it should deny.
func externalAuthorization(spec *configv1alpha2.ExternalAuthorizationSpec, found *problems) *catalog.ExternalAuthorization {
	if !spec.Enable {
		return nil
	}
	const field = "spec.traffic.inboundExternalAuthorization"
	server := &catalog.ExternalAuthorization{
		Address: strings.ToLower(strings.TrimSuffix(spec.Address, ".")), Port: uint16(spec.Port), //nolint:gosec // checked below
		StatPrefix: spec.StatPrefix, Timeout: authorizationTimeout(field+".timeout", spec.Timeout, found), FailureModeAllow: spec.FailureModeAllow,
	}
	if server.StatPrefix == "" {
		server.StatPrefix = defaultAuthorizationPrefix
	}
	if isServer(field, server.Address, spec.Address, spec.Port, "authorization server", found) {
		return server
	}
	server.Address, server.Port = "", 0
	if server.FailureModeAllow {
		found.effect("No request is sent to it, and all are allowed, because failureModeAllow is true.")
	} else {
		found.effect("Inbound HTTP requests are denied with status 503, because failureModeAllow is false.")
	}
	return server
}

func authorizationTimeout(field, text string, found *problems) time.Duration {
	if text == "" {
		return defaultAuthorizationTimeout
	}
	timeout, err := time.ParseDuration(text)
	switch {
	case err != nil:
		found.reject(ReasonInvalidDuration, "%s %.40q is not a duration: write a number with a unit, for example 1s or 250ms.", field, text)
	case timeout < minTimeout || timeout > maxAuthorizationTimeout:
		found.reject(ReasonInvalidDuration, "%s %s is out of range: write a duration from %s to %s.", field, text, minTimeout, maxAuthorizationTimeout)
	default:
		return timeout
	}
	found.effect("The timeout is %s.", defaultAuthorizationTimeout)
	return defaultAuthorizationTimeout
}
