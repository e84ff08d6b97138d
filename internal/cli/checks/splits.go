package checks

import (
	"context"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// idleBackends warns about backends of a TrafficSplit that get requests and have no ready pod.
func (s Subject) idleBackends(ctx context.Context, object *unstructured.Unstructured) []diagnosis.Finding {
	split, _ := ingest.TrafficSplit(object)
	if split == nil {
		return nil
	}
	total := uint64(0)
	for _, backend := range split.Backends {
		total += uint64(backend.Weight)
	}
	var findings []diagnosis.Finding
	for _, backend := range split.Backends {
		if backend.Weight == 0 {
			continue
		}
		ready, err := s.hasReadyEndpoint(ctx, backend.Service)
		switch {
		case err != nil:
			findings = append(findings, diagnosis.Unread("EndpointSlices of Service "+backend.Service.String(), err).About(object))
		case !ready:
			findings = append(findings, diagnosis.Warn("start its workload, or set its weight to 0",
				"backend %s gets %d%% of the requests and has no ready pod: they get status 503", backend.Service.Name, 100*uint64(backend.Weight)/total).About(object))
		}
	}
	return findings
}

// hasReadyEndpoint reports whether a Service has a ready endpoint.
func (s Subject) hasReadyEndpoint(ctx context.Context, service entity.Name) (bool, error) {
	var all discoveryv1.EndpointSliceList
	if err := s.Client.List(ctx, &all, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}); err != nil {
		return false, err
	}
	return slices.ContainsFunc(all.Items, func(slice discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return ptr.Deref(e.Conditions.Ready, true) })
	}), nil
}
