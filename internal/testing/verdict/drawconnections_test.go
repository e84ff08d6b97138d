package verdict

import (
	"crypto/tls"
	"net"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/objects"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// addConnectionRoutes adds the generators of TCPRoutes and TLSRoutes for Services.
func addConnectionRoutes(add func(entity.Kind, int, entity.Name, func(*rapid.T) catalog.Entry)) {
	for _, kind := range []entity.Kind{entity.KindGatewayTCPRoute, entity.KindTLSRoute} {
		for _, name := range []entity.Name{Name("a", "c1"), Name("a", "c2"), Name("b", "c1")} {
			add(kind, 3, name, func(t *rapid.T) catalog.Entry { return drawConnectionRoute(t, kind, name) })
		}
	}
}

var (
	anyServerName = oneOf([]string{"", "", "x.example", "X.Example", "y.example", "z.y.example", "example"})
	anyHostname   = oneOf([]string{"x.example", "y.example", "*.example", "*.y.example"})
)

// drawConnectionRoute draws a TCPRoute or TLSRoute. Its backends speak the protocol of its parents' port.
func drawConnectionRoute(t *rapid.T, kind entity.Kind, name entity.Name) catalog.Entry {
	route := &catalog.HTTPRoute{Kind: kind, Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0)}
	parent := catalog.RouteParent{
		Service: anyServiceOf(oneOf([]string{name.Namespace, name.Namespace, "a"}).Draw(t, "parent namespace")).Draw(t, "parent"),
		Port:    oneOf([]uint16{81, 81, 82, 83}).Draw(t, "port"),
	}
	if kind == entity.KindTLSRoute {
		parent.Port = 81
		route.Hostnames = rapid.SliceOfNDistinct(anyHostname, 1, 3, rapid.ID).Draw(t, "hostnames")
	}
	route.Parents = []catalog.RouteParent{parent}
	for _, further := range drawFurtherParent(t) {
		if further.Port = parent.Port; further != parent {
			route.Parents = append(route.Parents, further)
		}
	}
	rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}}
	for range below(t, 4, "backends") {
		backend := drawRouteBackend(t, name.Namespace)
		backend.Port, backend.Filters = parent.Port, nil
		if parent.Port == 83 {
			backend.Port = oneOf([]uint16{83, 80}).Draw(t, "HTTP port")
		}
		rule.Backends = append(rule.Backends, backend)
	}
	route.Rules = []catalog.HTTPRouteRule{rule}
	return route
}

// addRouteObject adds the object of a route.
func addRouteObject(c *reference.Cluster, r *catalog.HTTPRoute) {
	switch r.Kind {
	case entity.KindGatewayTCPRoute:
		c.ConnectionRoutes = append(c.ConnectionRoutes, objects.TCPRoute(r))
	case entity.KindTLSRoute:
		c.TLSRoutes = append(c.TLSRoutes, objects.TLSRoute(r))
	default:
		c.HTTPRoutes = append(c.HTTPRoutes, objects.HTTPRoute(r))
	}
}

// clientHello returns the first message of a TLS handshake for a server name; nothing without one.
func clientHello(serverName string) []byte {
	if serverName == "" {
		return nil
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: serverName, MinVersion: tls.VersionTLS12}).Handshake() //nolint:noctx // it ends with the pipe
	}()
	message := make([]byte, 1<<14)
	n, _ := server.Read(message)
	return message[:n]
}
