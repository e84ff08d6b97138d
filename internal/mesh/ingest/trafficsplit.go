package ingest

import (
	"fmt"
	"slices"
	"strings"

	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

const (
	// maxWeight is the maximum weight of a backend and maxBackends their maximum number. Together they keep sums
	// within Envoy's range.
	maxWeight   = 1_000_000
	maxBackends = 256
	// maxMatches is the maximum number of HTTPRouteGroups in one split.
	maxMatches = 64
	// routeAPIGroup is the API group of HTTPRouteGroups.
	routeAPIGroup = "specs.smi-spec.io"
)

// TrafficSplit reads an SMI TrafficSplit (split.smi-spec.io/v1alpha2 to v1alpha4). A split with an invalid backend has
// no entry, so all traffic stays with the root Service. A total weight of 0 is valid, as in OSM: the traffic has no
// destination.
func TrafficSplit(u *unstructured.Unstructured) (*catalog.TrafficSplit, []Problem) {
	spec, found, ok := DecodeObject[splitv1alpha4.TrafficSplitSpec](u)
	if !ok {
		return nil, found
	}
	split := &catalog.TrafficSplit{Name: NameOf(u), Created: u.GetCreationTimestamp().UTC()}
	root, ok := LocalService(spec.Service, u.GetNamespace())
	if !ok {
		found.Reject(ReasonInvalidName, "spec.service %.80q is not a Service of the namespace %s, so this TrafficSplit is not used: write its name, or its DNS name in this namespace.", spec.Service, u.GetNamespace())
	}
	split.Root = root
	split.Backends = splitBackends(spec, u.GetNamespace(), &found)
	split.Matches = splitMatches(spec, &found)
	if len(found) > 0 {
		return nil, found
	}
	if totalWeight(split.Backends) == 0 {
		found.Reject(ReasonInvalidWeight, "The weights of spec.backends sum up to 0, so requests to %s have nowhere to go: give at least one backend a weight above 0.", root.Name)
	}
	if len(split.Backends) < len(spec.Backends) {
		found.Warn(ReasonDuplicateMatch, "spec.backends has %d elements for %d Services, and the weights of each Service are added: write each backend once.", len(spec.Backends), len(split.Backends))
	}
	return split, found
}

// splitBackends reads the backends, sorted. It adds the weights of a Service that occurs twice.
func splitBackends(spec splitv1alpha4.TrafficSplitSpec, namespace string, found *Problems) []catalog.SplitBackend {
	if len(spec.Backends) > maxBackends {
		found.Reject(ReasonUnsupported, "spec.backends has %d elements, so this TrafficSplit is not used: name at most %d.", len(spec.Backends), maxBackends)
		return nil
	}
	weights := map[entity.Name]uint32{}
	for i, b := range spec.Backends {
		path := fmt.Sprintf("spec.backends[%d]", i)
		service, ok := LocalService(b.Service, namespace)
		if !ok {
			found.Reject(ReasonInvalidName, "%s.service %.80q is not a Service of the namespace %s, so this TrafficSplit is not used: write the name of a Service in this namespace.", path, b.Service, namespace)
			continue
		}
		if b.Weight < 0 || b.Weight > maxWeight {
			found.Reject(ReasonInvalidWeight, "%s.weight is %d, so this TrafficSplit is not used: write a whole number from 0 to %d.", path, b.Weight, maxWeight)
			continue
		}
		weights[service] += uint32(b.Weight)
	}
	var backends []catalog.SplitBackend
	for service, weight := range weights {
		backends = append(backends, catalog.SplitBackend{Service: service, Weight: weight})
	}
	slices.SortFunc(backends, func(a, b catalog.SplitBackend) int { return a.Service.Compare(b.Service) })
	return backends
}

// splitMatches reads the names of the HTTPRouteGroups, sorted.
func splitMatches(spec splitv1alpha4.TrafficSplitSpec, found *Problems) []string {
	if len(spec.Matches) > maxMatches {
		found.Reject(ReasonUnsupported, "spec.matches has %d elements, so this TrafficSplit is not used: name at most %d, each with several matches.", len(spec.Matches), maxMatches)
		return nil
	}
	var groups []string
	for i, ref := range spec.Matches {
		path, group := fmt.Sprintf("spec.matches[%d]", i), ptr.Deref(ref.APIGroup, "")
		switch {
		case ref.Kind != string(entity.KindHTTPRouteGroup) || group != "" && group != routeAPIGroup:
			found.Reject(ReasonUnsupported, "%s is of the kind %.40q of the group %.60q, so this TrafficSplit is not used: use HTTPRouteGroup of %s.", path, ref.Kind, group, routeAPIGroup)
		case len(validation.IsDNS1123Subdomain(ref.Name)) > 0:
			found.Reject(ReasonInvalidName, "%s.name %.80q is not the name of an HTTPRouteGroup, so this TrafficSplit is not used: name one in the namespace of this object.", path, ref.Name)
		default:
			groups = append(groups, ref.Name)
		}
	}
	return lists.Unique(groups)
}

func totalWeight(backends []catalog.SplitBackend) uint64 {
	var sum uint64
	for _, b := range backends {
		sum += uint64(b.Weight)
	}
	return sum
}

// LocalService parses the name of a Service in a namespace: the short name, or any of its DNS names.
func LocalService(text, namespace string) (entity.Name, bool) {
	name, domain, qualified := strings.Cut(strings.TrimSuffix(text, "."), ".")
	if len(validation.IsDNS1123Label(name)) > 0 {
		return entity.Name{}, false
	}
	local := !qualified
	for _, suffix := range []string{"", ".svc", ".svc.cluster.local"} {
		local = local || domain == namespace+suffix
	}
	return entity.Name{Namespace: namespace, Name: name}, local
}
