package ingest

import (
	"slices"

	specsv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/specs/v1alpha4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TCPRoute reads an SMI TCPRoute (specs.smi-spec.io/v1alpha4), whose matches field is one object. A route with an
// invalid port has no entry: no ports means every port, so skipping the invalid one could allow all.
func TCPRoute(u *unstructured.Unstructured) (*catalog.TCPRoute, []Problem) {
	var found problems
	spec, ok := decodeSpec[specsv1alpha4.TCPRouteSpec](specOf(u), &found)
	if !ok {
		return nil, found
	}
	route := &catalog.TCPRoute{Name: nameOf(u)}
	for _, port := range spec.Matches.Ports {
		if port < 1 || port > 65535 {
			found.reject(ReasonInvalidPort, "spec.matches.ports has %d, which is not a port, so this TCPRoute is not used: write numbers from 1 to 65535.", port)
			continue
		}
		route.Ports = append(route.Ports, uint16(port))
	}
	if len(found) > 0 {
		return nil, found
	}
	slices.Sort(route.Ports)
	route.Ports = slices.Compact(route.Ports)
	return route, nil
}
