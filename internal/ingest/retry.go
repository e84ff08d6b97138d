package ingest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// retryConditions are the words of Envoy for what makes a request worth repeating, of HTTP and of gRPC.
var retryConditions = []string{
	"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
	"retriable-status-codes", "retriable-headers", "http3-post-connect-failure",
	"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
}

// hintedConditions are those that depend on a list which a Retry has no field for; only a header of the request can bring it.
var hintedConditions = []string{"retriable-status-codes", "retriable-headers"}

// defaultRetries is how often a request is repeated when a Retry does not say it, as in OSM and Envoy.
const defaultRetries = 1

// Retry reads a Retry (policy.openservicemesh.io/v1alpha1). A destination that is none is left out and the others stay; without a
// source, a destination or a condition there is no entry.
func Retry(u *unstructured.Unstructured) (*catalog.Retry, []Problem) {
	var found problems
	spec := specOf(u, &found)
	retry := &catalog.Retry{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	source, usable := spec.object("source").serviceAccount("")
	retry.Source = source
	retry.Destinations = retryDestinations(spec)
	var acts bool
	retry.Policy, acts = retryPolicy(spec.object("retryPolicy"))
	if malformed := found.malformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(spec.list("destinations")) == 0 {
		found.refuse(ReasonGrantsNothing, "spec.destinations is empty, so this Retry does nothing: list the Services to which requests are repeated.")
	}
	if !usable || !acts || len(retry.Destinations) == 0 {
		return nil, found
	}
	return retry, found
}

// retryDestinations reads the destinations, sorted; those that are no Service are left out.
func retryDestinations(spec object) []catalog.Name {
	var services []catalog.Name
	for _, item := range spec.objects("destinations") {
		kind, name := item.text("kind"), catalog.Name{Namespace: item.text("namespace"), Name: item.text("name")}
		switch {
		case kind != "Service":
			item.problems.refuse(ReasonUnsupported, "%s has the kind %.40q, so it is left out: use Service.", item.path, kind)
		case len(validation.IsDNS1123Label(name.Namespace)) > 0:
			item.problems.refuse(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is left out: write the namespace of the Service.", item.path, name.Namespace)
		case len(validation.IsDNS1123Label(name.Name)) > 0:
			item.problems.refuse(ReasonInvalidName, "%s.name %.80q is not the name of a Service, so it is left out: name each Service on its own.", item.path, name.Name)
		default:
			services = append(services, name)
		}
	}
	slices.SortFunc(services, catalog.Name.Compare)
	return slices.Compact(services)
}

// retryPolicy reads how requests are repeated, and says whether it can be used.
func retryPolicy(spec object) (catalog.RetryPolicy, bool) {
	policy := catalog.RetryPolicy{
		Count:         defaultRetries,
		PerTryTimeout: spec.duration("perTryTimeout", "1s"),
		BackoffBase:   spec.duration("retryBackoffBaseInterval", "25ms"),
	}
	if count := spec.count("numRetries", 0); count != nil {
		policy.Count = *count
	}
	var words []string
	for word := range strings.SplitSeq(spec.text("retryOn"), ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "" || slices.Contains(words, word):
			continue
		case !slices.Contains(retryConditions, word):
			spec.problems.refuse(ReasonInvalidCondition, "%s has %.60q, which is not a condition that sidecars know, so this Retry does nothing: use %s.", spec.child("retryOn"), word, strings.Join(retryConditions, ", "))
			return policy, false
		case slices.Contains(hintedConditions, word):
			spec.problems.warn(ReasonInvalidCondition, "%s has %s, which acts only on requests that bring its list in a header of Envoy: use 5xx, gateway-error or retriable-4xx for all requests.", spec.child("retryOn"), word)
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		spec.problems.refuse(ReasonInvalidCondition, "%s is empty, so this Retry does nothing: write for example 5xx,connect-failure.", spec.child("retryOn"))
	}
	policy.On = strings.Join(words, ",")
	return policy, len(words) > 0
}
