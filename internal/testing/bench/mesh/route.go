package mesh

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// route returns one of the HTTPRoutes of a service, which sends the requests with a prefix to it. The version is the value of a header that it adds.
func (m *Mesh) route(i, n, version int) *catalog.HTTPRoute {
	service := name(i)
	own := entity.Name{Namespace: service.Namespace, Name: fmt.Sprintf("%s-%d", service.Name, n)}
	added := catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: "version", Value: fmt.Sprint(version)}}}
	return &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: own, Created: m.Created[own],
		Parents: []catalog.RouteParent{{Service: service}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: fmt.Sprintf("/route-%d", n)}},
			Filters:  catalog.RouteFilters{HeaderFilters: catalog.HeaderFilters{Request: added}},
			Backends: []catalog.RouteBackend{{Service: service, Port: servicePort, Weight: 1}},
		}},
	}
}
