package verdict

import (
	"maps"
	"net/netip"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// handwrittenPorts are the ports of handwritten EndpointSlices. The first differs from the target port of most Services, and 82 is missing.
var handwrittenPorts = map[string]uint16{"p80": otherPort, "p81": echoPort, "p83": otherPort, "p84": webPort}

// handwritten returns an EndpointSlice in the state. If its Service has a selector, it has no ports, because the policy engine knows one number for a port.
func (w State) handwritten(slice *inventory.EndpointSlice) *inventory.EndpointSlice {
	service, ok := w[entity.Ref{Kind: entity.KindService, Name: slice.Service}].(*inventory.Service)
	if !ok || !service.HasSelector() {
		return slice
	}
	withoutPorts := *slice
	withoutPorts.Ports = nil
	return &withoutPorts
}

// drawHandwritten draws an EndpointSlice of a Service: with addresses of its namespace, of others, and of no pod.
func drawHandwritten(t *rapid.T, service int, suffix string) catalog.Entry {
	name := services[service].name
	slice := &inventory.EndpointSlice{Name: Name(name.Namespace, name.Name+"-"+suffix), Service: name, Ports: maps.Clone(handwrittenPorts)}
	for i := range pods {
		if !oneIn(t, 2, "with "+pods[i].name.Name) {
			continue
		}
		state := oneOf([]string{ready, ready, ready, unready, terminating}).Draw(t, "state")
		endpoint := inventory.Endpoint{Address: podAddress(i), Ready: state == ready, Terminating: state == terminating}
		if oneIn(t, 3, "names a pod") {
			endpoint.Pod = oneOf([]entity.Name{pods[i].name, pods[i].name, Name(name.Namespace, pods[0].name.Name)}).Draw(t, "pod")
		}
		slice.Endpoints = append(slice.Endpoints, endpoint)
	}
	if oneIn(t, 3, "with an address of no pod") {
		slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{Address: netip.MustParseAddr("10.77.99.2"), Ready: true})
	}
	return slice
}
