package ingest

import (
	"net/netip"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// endpointSlice reads an EndpointSlice of the Service books.
func endpointSlice(t *testing.T, text string) (*inventory.EndpointSlice, []Problem) {
	t.Helper()
	slice := read[discoveryv1.EndpointSlice](t, "addressType: IPv4\n"+text)
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "books"}
	return EndpointSlice(slice)
}

// TestEndpointPorts checks that only TCP ports get traffic, wherever they are in the list.
func TestEndpointPorts(t *testing.T) {
	got, problems := endpointSlice(t, `
endpoints: []
ports: [{name: dns, port: 53, protocol: UDP}, {name: none}, {name: zero, port: 0}, {name: below, port: -65456}, {name: above, port: 65616}, {name: first, port: 1, protocol: TCP}, {name: last, port: 65535}]`)
	expect(t, map[string]uint16{"first": 1, "last": 65535}, got.Ports, nil, problems)
}

// TestEndpointConditions checks which endpoints get traffic: of those that end, only the ones that still serve, and only without others.
func TestEndpointConditions(t *testing.T) {
	got, problems := endpointSlice(t, `
ports: []
endpoints:
- {addresses: [10.0.0.1], conditions: {ready: true, terminating: true}, targetRef: {kind: Pod, name: a}}
- {addresses: ['::ffff:10.0.0.2'], conditions: {ready: true}, targetRef: {kind: Pod, name: b}}
- {addresses: [10.0.0.3], targetRef: {kind: Pod}}
- {addresses: [10.0.0.4]}`)
	expect(t, []inventory.Endpoint{
		{Address: netip.MustParseAddr("10.0.0.1"), Pod: entity.Name{Namespace: "shop", Name: "a"}, Terminating: true},
		{Address: netip.MustParseAddr("10.0.0.2"), Pod: entity.Name{Namespace: "shop", Name: "b"}, Ready: true},
		{Address: netip.MustParseAddr("10.0.0.4"), Ready: true},
	}, got.Endpoints, []string{"RejectedAddress: addresses whose targetRef is not a pod of its namespace, and they get no traffic, because nothing can prove who answers there: 10.0.0.3"}, problems)
}
