package inventory

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Backend is one address behind a port of a Service and the identity that it must prove.
type Backend struct {
	Address  netip.AddrPort
	Identity identity.ServiceAccount
	Workload Workload
	Ready    bool
	// Serving is true for an endpoint that is ready, terminates and still serves, or is not ready only because its node does not report. Only the
	// clients of a headless Service reach others, by their own choice.
	Serving bool
}

// Backends returns the addresses behind a port of a Service: ready ones, terminating ones that still serve, and ones whose node does not report. Of a
// headless Service it returns all, because its clients choose the pod, and their sessions must outlive a failed readiness probe. An address counts
// only if it belongs to an existing pod that the Service selects and that has a sidecar, possibly one of Open Service Mesh. No other endpoint can
// prove an identity that clients expect. podBehind has the rule for Services without a selector.
func (inv *Inventory) Backends(service *Service, port Port) []Backend {
	var backends []Backend
	for _, slice := range inv.slicesOf(service.Name) {
		number, ok := slice.Ports[port.Name]
		if !ok && service.HasSelector() {
			number = inv.TargetPort(service, port)
		}
		for _, endpoint := range slice.Endpoints {
			if backend, ok := inv.backend(service, endpoint, number); ok {
				backends = append(backends, backend)
			}
		}
	}
	// Two slices can disagree about an endpoint while it moves from one to the other.
	slices.SortFunc(backends, func(a, b Backend) int { return cmp.Or(a.Address.Compare(b.Address), readyFirst(a, b)) })
	return slices.CompactFunc(backends, func(a, b Backend) bool { return a.Address == b.Address })
}

func readyFirst(a, b Backend) int {
	rank := func(b Backend) int {
		switch {
		case b.Ready:
			return 0
		case b.Serving:
			return 1
		}
		return 2
	}
	return cmp.Compare(rank(a), rank(b))
}

func (inv *Inventory) backend(service *Service, endpoint Endpoint, port uint16) (Backend, bool) {
	pod := inv.podBehind(service, endpoint)
	if pod == nil || port == 0 {
		return Backend{}, false
	}
	// Kubernetes marks pods whose node does not report. If that concerns all pods of a Service, it is likelier that the API server was away than that
	// all have ended.
	serving := endpoint.Ready || endpoint.Terminating || pod.NodeUnreachable && service.HasSelector()
	if !serving && !service.Headless() {
		return Backend{}, false
	}
	return Backend{
		Address: netip.AddrPortFrom(endpoint.Address, port), Identity: pod.Identity(), Workload: pod.Workload,
		// Applications end a few seconds after the deletion of their pod. EndpointSlices may take longer, for example after an outage of the API server.
		Ready: endpoint.Ready && !pod.Terminating, Serving: serving,
	}, true
}
