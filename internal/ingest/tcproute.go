package ingest

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// TCPRoute reads an SMI TCPRoute (specs.smi-spec.io/v1alpha4), whose matches is one object. No ports means every port, so a route
// with a wrong port has no entry: leaving the port out could open all of them.
func TCPRoute(u *unstructured.Unstructured) (*catalog.TCPRoute, []Problem) {
	var found problems
	spec := specOf(u, &found)
	route := &catalog.TCPRoute{Name: nameOf(u)}
	for _, port := range spec.object("matches").wholes("ports") {
		if port < 1 || port > 65535 {
			found.refuse(ReasonInvalidPort, "spec.matches.ports has %d, which is not a port, so this TCPRoute is not used: write numbers from 1 to 65535.", port)
			continue
		}
		route.Ports = append(route.Ports, uint16(port))
	}
	if malformed := found.malformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(found) > 0 {
		return nil, found
	}
	slices.Sort(route.Ports)
	route.Ports = slices.Compact(route.Ports)
	return route, nil
}
