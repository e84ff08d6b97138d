package snapshot

import (
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/envoy"
)

// emptyRoutes answers a request for a route configuration that does not exist: Envoy ignores the removal of one, and its
// listener would wait for it.
func emptyRoutes(name string) Resource {
	c, err := newContent(envoy.Resource{TypeURL: Routes.URL(), Name: name, Message: &route.RouteConfiguration{Name: name}})
	if err != nil { // the type is known, and a name that came in a message is valid UTF-8
		panic(err)
	}
	return Resource{content: c, version: stub}
}
