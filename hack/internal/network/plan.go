package network

import "net/netip"

// Plan is the cluster's addresses. They are private ranges that no route of the machine leads out for.
type Plan struct {
	// Bridge is the interface's name; every host side of a pod's link is attached to it.
	Bridge string
	// CNIName is the name that CNI plugins keep their records under.
	CNIName string
	// NodeName is the one node's name.
	NodeName string
	// PodV4 and PodV6 are the ranges of pods and, first address, of the bridge, which is also the node's address.
	PodV4, PodV6 netip.Prefix
	// ServiceV4 and ServiceV6 are the ranges of cluster IPs.
	ServiceV4, ServiceV6 netip.Prefix
	// APIPort is where the API server listens on the node's address.
	APIPort int
}

// Default is the plan of the local cluster.
func Default() Plan {
	return Plan{
		Bridge:    "osm-local0",
		CNIName:   "osm-local",
		NodeName:  "osm-local",
		PodV4:     netip.MustParsePrefix("10.244.0.0/16"),
		PodV6:     netip.MustParsePrefix("fd6f:736d:0:1::/64"),
		ServiceV4: netip.MustParsePrefix("10.96.0.0/16"),
		ServiceV6: netip.MustParsePrefix("fd6f:736d:0:2::/112"),
		APIPort:   6443,
	}
}

// NodeV4 is the bridge's and node's IPv4 address.
func (p Plan) NodeV4() netip.Addr { return nth(p.PodV4, 1) }

// NodeV6 is the bridge's and node's IPv6 address.
func (p Plan) NodeV6() netip.Addr { return nth(p.PodV6, 1) }

// APIServiceV4 is the cluster IP of the Service "kubernetes".
func (p Plan) APIServiceV4() netip.Addr { return nth(p.ServiceV4, 1) }

// DNSV4 and DNSV6 are the cluster IPs of the DNS Service.
func (p Plan) DNSV4() netip.Addr { return nth(p.ServiceV4, 10) }

// DNSV6 is the IPv6 counterpart of DNSV4.
func (p Plan) DNSV6() netip.Addr { return nth(p.ServiceV6, 10) }

// APIServer is the URL of the API server.
func (p Plan) APIServer() string {
	return "https://" + netip.AddrPortFrom(p.NodeV4(), uint16(p.APIPort)).String()
}

// nth returns the n-th address of the range, 0 being the range's own.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}
