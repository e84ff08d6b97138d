package ingest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

const (
	// maxWeight is the largest weight of a backend, and maxBackends their largest number: with both, sums stay within what
	// Envoy can count.
	maxWeight   = 1_000_000
	maxBackends = 256
	// maxMatches is the largest number of HTTPRouteGroups that select the requests of one split.
	maxMatches = 64
	// routeAPIGroup is the API group of HTTPRouteGroups.
	routeAPIGroup = "specs.smi-spec.io"
)

// TrafficSplit reads an SMI TrafficSplit (split.smi-spec.io/v1alpha2 to v1alpha4). A split with a wrong backend has no entry, so
// that all traffic stays with the root Service. A total weight of 0 is an entry as in OSM: nothing is routed.
func TrafficSplit(u *unstructured.Unstructured) (*catalog.TrafficSplit, []Problem) {
	var found problems
	spec := specOf(u, &found)
	split := &catalog.TrafficSplit{Name: nameOf(u), Created: u.GetCreationTimestamp().UTC()}
	root, ok := localService(spec.text("service"), u.GetNamespace())
	if !ok {
		found.refuse(ReasonInvalidName, "spec.service %.80q is not a Service of the namespace %s, so this TrafficSplit is not used: write its name, or its DNS name in this namespace.", spec.text("service"), u.GetNamespace())
	}
	split.Root = root
	split.Backends = splitBackends(spec, u.GetNamespace())
	split.Matches = splitMatches(spec)
	if malformed := found.malformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(found) > 0 {
		return nil, found
	}
	if total(split.Backends) == 0 {
		found.refuse(ReasonInvalidWeight, "The weights of spec.backends sum up to 0, so requests to %s have nowhere to go: give at least one backend a weight above 0.", root.Name)
	}
	return split, found
}

// splitBackends reads the backends, sorted; the weights of one Service that is named twice are added.
func splitBackends(spec object, namespace string) []catalog.SplitBackend {
	items := spec.objects("backends")
	if len(items) > maxBackends {
		spec.problems.refuse(ReasonUnsupported, "spec.backends has %d elements, so this TrafficSplit is not used: name at most %d.", len(items), maxBackends)
		return nil
	}
	weights := map[catalog.Name]uint32{}
	for _, item := range items {
		service, ok := localService(item.text("service"), namespace)
		if !ok {
			item.problems.refuse(ReasonInvalidName, "%s.service %.80q is not a Service of the namespace %s, so this TrafficSplit is not used: write the name of a Service in this namespace.", item.path, item.text("service"), namespace)
			continue
		}
		weight := item.whole("weight")
		if weight < 0 || weight > maxWeight {
			item.problems.refuse(ReasonInvalidWeight, "%s.weight is %d, so this TrafficSplit is not used: write a whole number from 0 to %d.", item.path, weight, maxWeight)
			continue
		}
		weights[service] += uint32(weight)
	}
	var backends []catalog.SplitBackend
	for service, weight := range weights {
		backends = append(backends, catalog.SplitBackend{Service: service, Weight: weight})
	}
	slices.SortFunc(backends, func(a, b catalog.SplitBackend) int { return a.Service.Compare(b.Service) })
	return backends
}

// splitMatches reads the HTTPRouteGroups that select requests, sorted.
func splitMatches(spec object) []string {
	items := spec.objects("matches")
	if len(items) > maxMatches {
		spec.problems.refuse(ReasonUnsupported, "spec.matches has %d elements, so this TrafficSplit is not used: name at most %d, each with several matches.", len(items), maxMatches)
		return nil
	}
	var groups []string
	for _, item := range items {
		group, kind, name := item.text("apiGroup"), item.text("kind"), item.text("name")
		switch {
		case kind != string(catalog.KindHTTPRouteGroup) || group != "" && group != routeAPIGroup:
			item.problems.refuse(ReasonUnsupported, "%s is of the kind %.40q of the group %.60q, so this TrafficSplit is not used: use HTTPRouteGroup of %s.", item.path, kind, group, routeAPIGroup)
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			item.problems.refuse(ReasonInvalidName, "%s.name %.80q is not the name of an HTTPRouteGroup, so this TrafficSplit is not used: name one in the namespace of this object.", item.path, name)
		default:
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

func total(backends []catalog.SplitBackend) uint64 {
	var sum uint64
	for _, b := range backends {
		sum += uint64(b.Weight)
	}
	return sum
}

// localService reads the name of a Service of a namespace: short, or any of its DNS names.
func localService(text, namespace string) (catalog.Name, bool) {
	name, domain, qualified := strings.Cut(strings.TrimSuffix(text, "."), ".")
	if len(validation.IsDNS1123Label(name)) > 0 {
		return catalog.Name{}, false
	}
	local := !qualified
	for _, suffix := range []string{"", ".svc", ".svc.cluster.local"} {
		local = local || domain == namespace+suffix
	}
	return catalog.Name{Namespace: namespace, Name: name}, local
}
