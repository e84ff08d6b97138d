package ingest

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxListed is how many rejected addresses a message lists.
const maxListed = 5

// EndpointSlice reads an EndpointSlice, or returns nil when it belongs to no Service. It skips endpoints that name something else than a pod
// of the same namespace, which have no identity. It also skips addresses that no pod can have, so that a manual slice
// cannot route traffic to a node's own services or a cloud's metadata server.
func EndpointSlice(slice *discoveryv1.EndpointSlice) (*inventory.EndpointSlice, []Problem) {
	service := slice.Labels[discoveryv1.LabelServiceName]
	if service == "" {
		return nil, nil
	}
	entry := &inventory.EndpointSlice{
		Name:    entity.Name{Namespace: slice.Namespace, Name: slice.Name},
		Service: entity.Name{Namespace: slice.Namespace, Name: service},
		Ports:   map[string]uint16{},
	}
	var found Problems
	for _, port := range slice.Ports {
		switch number := uint16(ptr.Deref(port.Port, 0)); { //nolint:gosec // the API server validates ports
		case names.IsReservedPort(number):
			found.Reject(ReasonInvalidPort, "The EndpointSlice of Service %s has the port %d, which belongs to the sidecar and gets no traffic: use another port in the container.", service, number)
		case number > 0 && int32(number) == *port.Port && ptr.Deref(port.Protocol, corev1.ProtocolTCP) == corev1.ProtocolTCP:
			entry.Ports[ptr.Deref(port.Name, "")] = number
		}
	}
	var rejected, unknown []string
	for _, endpoint := range slice.Endpoints {
		pod, known := podOf(endpoint, slice.Namespace)
		for _, text := range endpoint.Addresses {
			address, err := podAddress(text)
			switch {
			case err != nil:
				rejected = append(rejected, err.Error())
			case !known:
				unknown = append(unknown, text)
			default:
				entry.Endpoints = append(entry.Endpoints, readEndpoint(address, pod, endpoint.Conditions))
			}
		}
	}
	slices.SortStableFunc(entry.Endpoints, func(a, b inventory.Endpoint) int { return a.Address.Compare(b.Address) })
	if len(rejected) > 0 {
		found.Reject(ReasonRejectedAddress, "The EndpointSlice of Service %s has addresses that no pod can have, and they get no traffic: %s.", service, lists.Join(rejected, maxListed))
	}
	if len(unknown) > 0 {
		found.Reject(ReasonRejectedAddress, "The EndpointSlice of Service %s has addresses whose targetRef is not a pod of its namespace, and they get no traffic, because nothing can prove who answers there: %s.", service, lists.Join(unknown, maxListed))
	}
	return entry, found
}

// podOf returns the pod that an endpoint names, which is empty if it names nothing. It is false for something else than a pod of the namespace.
func podOf(endpoint discoveryv1.Endpoint, namespace string) (entity.Name, bool) {
	ref := endpoint.TargetRef
	if ref == nil {
		return entity.Name{}, true
	}
	if ref.Kind != "Pod" || ref.Name == "" || (ref.Namespace != "" && ref.Namespace != namespace) {
		return entity.Name{}, false
	}
	return entity.Name{Namespace: namespace, Name: ref.Name}, true
}

// podAddress parses an address that a pod can have.
func podAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%.60q (not an IP address)", text)
	}
	kind := ""
	address = address.Unmap()
	switch {
	case address.Zone() != "":
		kind = "with a zone"
	case address.IsUnspecified():
		kind = "unspecified"
	case address.IsLoopback():
		kind = "loopback"
	case address.IsLinkLocalUnicast():
		kind = "link-local"
	case address.IsMulticast() || address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		kind = "multicast or broadcast"
	default:
		return address, nil
	}
	return netip.Addr{}, fmt.Errorf("%s (%s)", text, kind)
}

// readEndpoint applies the defaults of the EndpointSlice API: unknown conditions mean ready and serving.
func readEndpoint(address netip.Addr, pod entity.Name, c discoveryv1.EndpointConditions) inventory.Endpoint {
	terminating := ptr.Deref(c.Terminating, false)
	return inventory.Endpoint{
		Address: address,
		Pod:     pod,
		Ready:   ptr.Deref(c.Ready, true) && !terminating,
		// A terminating endpoint that no longer serves gets no traffic at all.
		Terminating: terminating && ptr.Deref(c.Serving, true),
	}
}
