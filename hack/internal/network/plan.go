package network

import (
	"fmt"
	"net/netip"

	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// Plan holds the cluster's addresses, in private ranges.
type Plan struct {
	// Bridge is the name of the interface that the host side of every pod link is attached to.
	Bridge string
	// CNIName is the network name in the records of CNI plugins.
	CNIName string
	// NodeName is the name of the single node.
	NodeName string
	// PodV4 and PodV6 are the ranges of pod addresses. The first address of each belongs to the bridge and the node.
	PodV4, PodV6 netip.Prefix
	// ServiceV4 and ServiceV6 are the ranges of cluster IPs.
	ServiceV4, ServiceV6 netip.Prefix
	// IPv6Only is true for a cluster without IPv4.
	IPv6Only bool
	// ProxyMode is the mode of kube-proxy.
	ProxyMode string
	// API is the address of the API server, if that is on another node.
	API netip.Addr
	// APIPort is its port.
	APIPort int
}

// MaxNumber is the largest number of a cluster.
const MaxNumber = 9

// Numbered is the plan of a cluster by the number of its machine, from 0 to MaxNumber. No two share an address, so that they can be connected.
// The host has number 0.
func Numbered(n int) Plan {
	p := Default()
	if n == 0 {
		return p
	}
	p.NodeName = fmt.Sprintf("%s-%d", p.NodeName, n)
	p.PodV4 = netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", 244+n))
	p.PodV6 = netip.MustParsePrefix(fmt.Sprintf("fd6f:736d:%d:1::/64", n))
	p.ServiceV4 = netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", 96+n))
	p.ServiceV6 = netip.MustParsePrefix(fmt.Sprintf("fd6f:736d:%d:2::/112", n))
	return p
}

// Worker is the plan of a further node of this cluster, by the number of its machine. Services and families are those of the cluster.
func (p Plan) Worker(n int) Plan {
	w := Numbered(n)
	w.IPv6Only, w.ProxyMode = p.IPv6Only, p.ProxyMode
	w.ServiceV4, w.ServiceV6, w.API = p.ServiceV4, p.ServiceV6, p.Node()
	return w
}

// IsWorker reports whether the API server is on another node.
func (p Plan) IsWorker() bool { return p.API.IsValid() }

// Ranges returns the addresses of pods and Services.
func (p Plan) Ranges() []netip.Prefix {
	return []netip.Prefix{p.PodV4, p.PodV6, p.ServiceV4, p.ServiceV6}
}

// Default is the plan of the host's local cluster.
func Default() Plan {
	return Plan{
		Bridge:    "osm-local0",
		CNIName:   "osm-local",
		NodeName:  "osm-local",
		PodV4:     netip.MustParsePrefix("10.244.0.0/16"),
		PodV6:     netip.MustParsePrefix("fd6f:736d:0:1::/64"),
		ServiceV4: netip.MustParsePrefix("10.96.0.0/16"),
		ServiceV6: netip.MustParsePrefix("fd6f:736d:0:2::/112"),
		ProxyMode: paths.Nftables,
		APIPort:   6443,
	}
}

// NodeV4 returns the IPv4 address of the bridge and node.
func (p Plan) NodeV4() netip.Addr { return nth(p.PodV4, 1) }

// NodeV6 returns the IPv6 address of the bridge and node.
func (p Plan) NodeV6() netip.Addr { return nth(p.PodV6, 1) }

// Nodes returns the addresses of the bridge and node, the first family first.
func (p Plan) Nodes() []netip.Addr { return p.firsts(p.Pods(), 1) }

// Node returns the address of the bridge and node in the first family.
func (p Plan) Node() netip.Addr { return p.Nodes()[0] }

// Pods returns the ranges of pod addresses, the first family first.
func (p Plan) Pods() []netip.Prefix { return p.families(p.PodV4, p.PodV6) }

// Services returns the ranges of cluster IPs. The first is the family of Services with one.
func (p Plan) Services() []netip.Prefix { return p.families(p.ServiceV4, p.ServiceV6) }

func (p Plan) families(v4, v6 netip.Prefix) []netip.Prefix {
	if p.IPv6Only {
		return []netip.Prefix{v6}
	}
	return []netip.Prefix{v4, v6}
}

// firsts returns the n-th address of each range.
func (p Plan) firsts(ranges []netip.Prefix, n int) []netip.Addr {
	var all []netip.Addr
	for _, r := range ranges {
		all = append(all, nth(r, n))
	}
	return all
}

// APIServices returns the cluster IPs that the Service "kubernetes" can have.
func (p Plan) APIServices() []netip.Addr { return p.firsts(p.Services(), 1) }

// DNS returns the cluster IPs of the DNS Service, the first family first.
func (p Plan) DNS() []netip.Addr { return p.firsts(p.Services(), 10) }

// APIServer returns the URL of the API server.
func (p Plan) APIServer() string {
	address := p.Node()
	if p.IsWorker() {
		address = p.API
	}
	return "https://" + netip.AddrPortFrom(address, uint16(p.APIPort)).String()
}

// nth returns the n-th address of the range; the network address has index 0.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}
