package verdict

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest" //nolint:staticcheck // its words make meshes read like sentences
)

// gateway is a Service outside the mesh, with clients of the mesh behind it.
var gateway = Name("gateway", "clients")

// drawGateway draws which clients outside the mesh are behind the gateway.
func drawGateway(t *rapid.T) catalog.Entry {
	slice := &catalog.EndpointSlice{Name: Name(gateway.Namespace, "clients-1"), Service: gateway, Ports: map[string]uint16{}}
	for _, address := range rapid.SliceOfNDistinct(oneOf(outsideAddresses), 0, 2, rapid.ID).Draw(t, "behind the gateway") {
		slice.Endpoints = append(slice.Endpoints, catalog.Endpoint{Address: address, Pod: gateway, Ready: oneIn(t, 2, "ready")})
	}
	slices.SortFunc(slice.Endpoints, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
	return slice
}

// drawIngressBackend draws an IngressBackend for the clients outside the mesh. Its ranges include no pod of the mesh, because calls that pass
// through a client's sidecar count as calls from outside.
func drawIngressBackend(t *rapid.T, name catalog.Name) catalog.Entry {
	b := &catalog.IngressBackend{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0)}
	b.Backends = rapid.SliceOfNDistinct(anyIngressPort(name.Namespace), 1, 4, backendOf).Draw(t, "backends")
	for _, port := range b.Backends {
		if port.TLS && !port.SkipClientCertificate {
			b.Principals = []string{"gateway.example.com"}
		}
	}
	if oneIn(t, 2, "gateway") {
		b.Gateways = []catalog.Name{gateway}
	}
	if len(b.Gateways) == 0 || oneIn(t, 3, "ranges") {
		b.Prefixes = rapid.SliceOfNDistinct(oneOf(append(outsideRanges(), netip.MustParsePrefix("192.0.2.0/24"))), 1, 2, rapid.ID).Draw(t, "ranges")
	}
	if oneIn(t, 2, "restricted") {
		b.RouteGroups = rapid.SliceOfNDistinct(oneOf([]string{"g1", "g2", "g2", "none"}), 1, 2, rapid.ID).Draw(t, "groups")
	}
	sortIngressBackend(b)
	return b
}

// sortIngressBackend sorts the lists as the control plane does.
func sortIngressBackend(b *catalog.IngressBackend) {
	slices.SortFunc(b.Backends, func(x, y catalog.IngressPort) int {
		return cmp.Or(x.Service.Compare(y.Service), cmp.Compare(x.TargetPort, y.TargetPort))
	})
	slices.SortFunc(b.Prefixes, netip.Prefix.Compare)
	slices.Sort(b.RouteGroups)
}

// backendOf returns what identifies a backend of an IngressBackend.
func backendOf(p catalog.IngressPort) string { return fmt.Sprint(p.Service, p.TargetPort) }

// anyIngressPort draws an HTTP port of the pods of a Service, rarely with TLS.
func anyIngressPort(namespace string) *rapid.Generator[catalog.IngressPort] {
	return rapid.Custom(func(t *rapid.T) catalog.IngressPort {
		port := catalog.IngressPort{
			Service: anyServiceOf(namespace).Draw(t, "service"), TargetPort: oneOf([]uint16{webPort, webPort, otherPort}).Draw(t, "target port"), TLS: oneIn(t, 6, "TLS"),
		}
		port.SkipClientCertificate = port.TLS && oneIn(t, 2, "any certificate")
		return port
	})
}

// drawIngressRequest draws a request of a client outside the mesh to a pod.
func drawIngressRequest(t *rapid.T) Request {
	r := Request{From: oneOf(outsideAddresses).Draw(t, "client")}
	r.To = netip.AddrPortFrom(podAddress(below(t, len(pods), "to")), oneOf([]uint16{webPort, webPort, otherPort}).Draw(t, "pod port"))
	r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")
	r.Headers = []authz.Header{{Name: ":authority", Value: anyHost.Draw(t, "host")}}
	for range oneOf([]int{0, 0, 1, 1, 2}).Draw(t, "headers") {
		r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
	}
	return r
}
