package retry

import (
	"slices"
	"strings"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// supported are Envoy's retry conditions for HTTP and gRPC.
var supported = []string{
	"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
	"retriable-status-codes", "retriable-headers", "http3-post-connect-failure",
	"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
}

// conditionsWithHeader need a list that a Retry has no field for; only a request header can contain it.
var conditionsWithHeader = []string{"retriable-status-codes", "retriable-headers"}

// defaultCount is the number of retries when a Retry does not set it, as in OSM and Envoy.
const defaultCount = 1

// MaxCount limits the load that one failed request can cause at a server.
const MaxCount = 10

// Read reads a Retry (policy.openservicemesh.io/v1alpha1). It skips invalid destinations. Without a valid source in its
// own namespace, a destination and a condition there is no entry.
func Read(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	spec, found, ok := ingest.DecodeObject[policyv1alpha1.RetrySpec](u)
	if !ok {
		return nil, found
	}
	retry := &Policy{Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	source, usable := ingest.ServiceAccountOf("spec.source", accessv1alpha3.IdentityBindingSubject(spec.Source), "", &found)
	if usable && source.Namespace != u.GetNamespace() {
		usable = false
		found.Reject(ingest.ReasonForeignNamespace, "spec.source.namespace is %q, but this Retry is in the namespace %q, so it has no effect: create it in the namespace of its source. Only that namespace decides how its clients retry.", source.Namespace, u.GetNamespace())
	}
	retry.Source = source
	retry.Destinations = destinations(spec.Destinations, &found)
	var acts bool
	retry.Settings, acts = settings(&spec.RetryPolicy, &found)
	if len(spec.Destinations) == 0 {
		found.Reject(ingest.ReasonGrantsNothing, "spec.destinations is empty, so this Retry does nothing: list the Services to which requests are repeated.")
	}
	if !usable || !acts || len(retry.Destinations) == 0 {
		return nil, found
	}
	return retry, found
}

// destinations reads the destinations, sorted, and skips those that are not Services.
func destinations(items []policyv1alpha1.RetryDestination, found *ingest.Problems) []entity.Name {
	var services []entity.Name
	for i, item := range items {
		path, name := ingest.Indexed("spec.destinations", i), entity.Name{Namespace: item.Namespace, Name: item.Name}
		switch {
		case item.Kind != "Service":
			found.Reject(ingest.ReasonUnsupported, "%s has the kind %.40q, so it is left out: use Service.", path, item.Kind)
		case len(validation.IsDNS1123Label(name.Namespace)) > 0:
			found.Reject(ingest.ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is left out: write the namespace of the Service.", path, name.Namespace)
		case len(validation.IsDNS1123Label(name.Name)) > 0:
			found.Reject(ingest.ReasonInvalidName, "%s.name %.80q is not the name of a Service, so it is left out: name each Service on its own.", path, name.Name)
		default:
			services = append(services, name)
		}
	}
	return lists.UniqueFunc(services, entity.Name.Compare)
}

// settings reads the retry settings and reports whether they are usable.
func settings(spec *policyv1alpha1.RetryPolicySpec, found *ingest.Problems) (Settings, bool) {
	policy := Settings{
		Count:         defaultCount,
		PerTryTimeout: found.DurationFrom("spec.retryPolicy.perTryTimeout", spec.PerTryTimeout, "1s", ingest.MinTimeout),
		BackoffBase:   found.Duration("spec.retryPolicy.retryBackoffBaseInterval", spec.RetryBackoffBaseInterval, "25ms"),
	}
	if count := found.Count("spec.retryPolicy.numRetries", spec.NumRetries, 0); count != nil {
		policy.Count = min(*count, MaxCount)
		if *count > MaxCount {
			found.Warn(ingest.ReasonInvalidNumber, "spec.retryPolicy.numRetries is %d and counts as %d, the maximum: write a number from 0 to %d.", *count, MaxCount, MaxCount)
		}
	}
	var conditions []string
	for condition := range strings.SplitSeq(spec.RetryOn, ",") {
		condition = strings.TrimSpace(condition)
		switch {
		case condition == "" || slices.Contains(conditions, condition):
			continue
		case !slices.Contains(supported, condition):
			found.Reject(ingest.ReasonInvalidCondition, "spec.retryPolicy.retryOn has %.60q, which is not a condition that sidecars support, so this Retry does nothing: use %s.", condition, strings.Join(supported, ", "))
			return policy, false
		case slices.Contains(conditionsWithHeader, condition):
			found.Warn(ingest.ReasonInvalidCondition, "spec.retryPolicy.retryOn has %s, which acts only on requests that bring its list in a header of Envoy: use 5xx, gateway-error or retriable-4xx for all requests.", condition)
		}
		conditions = append(conditions, condition)
	}
	if len(conditions) == 0 {
		found.Reject(ingest.ReasonInvalidCondition, "spec.retryPolicy.retryOn is empty, so this Retry does nothing: write for example 5xx,connect-failure.")
	}
	policy.On = strings.Join(conditions, ",")
	return policy, len(conditions) > 0
}
