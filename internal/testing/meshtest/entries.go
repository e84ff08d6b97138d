package meshtest

import (
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Name is shorthand for catalog.Name.
func Name(namespace, name string) catalog.Name {
	return catalog.Name{Namespace: namespace, Name: name}
}

// SA is shorthand for identity.ServiceAccount.
func SA(namespace, name string) identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: namespace, Name: name}
}

// Pod returns a pod with a sidecar, labelled app=<app>, that runs as service account sa.
func Pod(namespace, name, app, sa, ip string) *catalog.Pod {
	return &catalog.Pod{
		Name: Name(namespace, name), UID: "uid-" + name, ServiceAccount: sa, Injected: true, Revision: "osm-v0-1-0",
		IPs: []netip.Addr{netip.MustParseAddr(ip)}, Labels: map[string]string{"app": app},
	}
}

// Service returns a Service that selects app=<app>, with one port and an equal target port.
func Service(namespace, name, app, clusterIP string, port uint16, protocol catalog.Protocol) *catalog.Service {
	s := &catalog.Service{
		Name: Name(namespace, name), Selector: map[string]string{"app": app},
		Ports: []catalog.Port{{Number: port, TargetPort: port, Protocol: protocol}},
	}
	if clusterIP != "" {
		s.ClusterIPs = []netip.Addr{netip.MustParseAddr(clusterIP)}
	}
	return s
}

// Slice returns the ready endpoints of a Service, one for each pod.
func Slice(service catalog.Name, pods ...*catalog.Pod) *catalog.EndpointSlice {
	slice := &catalog.EndpointSlice{Name: Name(service.Namespace, service.Name+"-1"), Service: service}
	for _, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, catalog.Endpoint{Address: pod.IPs[0], Pod: pod.Name, Ready: true})
	}
	return slice
}

// Target returns a TrafficTarget in the destination's namespace.
func Target(name string, destination identity.ServiceAccount, rules []catalog.TargetRule, sources ...identity.ServiceAccount) *catalog.TrafficTarget {
	return &catalog.TrafficTarget{Name: Name(destination.Namespace, name), Destination: destination, Rules: rules, Sources: sources}
}

// HTTP returns a rule that refers to an HTTPRouteGroup.
func HTTP(group string, matches ...string) catalog.TargetRule {
	return catalog.TargetRule{Kind: catalog.KindHTTPRouteGroup, Name: group, Matches: matches}
}

// TCP returns a rule that refers to a TCPRoute.
func TCP(route string) catalog.TargetRule {
	return catalog.TargetRule{Kind: catalog.KindTCPRoute, Name: route}
}

// Group returns an HTTPRouteGroup with one match for each path, named like the path.
func Group(namespace, name string, paths ...string) *catalog.HTTPRouteGroup {
	g := &catalog.HTTPRouteGroup{Name: Name(namespace, name)}
	for _, path := range paths {
		g.Matches = append(g.Matches, catalog.HTTPMatch{Name: path, PathRegex: path})
	}
	return g
}

// Apply returns a new catalog with the entries.
func Apply(entries ...catalog.Entry) *catalog.Catalog {
	c := catalog.New()
	changes := make([]catalog.Change, len(entries))
	for i, entry := range entries {
		changes[i] = catalog.Set(entry)
	}
	c.Apply(changes)
	return c
}
