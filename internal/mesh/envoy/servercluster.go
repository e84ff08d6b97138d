package envoy

import (
	"net/netip"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// minDNSRefresh is the shortest interval between two DNS queries for a server. Answers of the cluster's DNS live for 5 to 30 seconds, and each
	// sidecar asks for each of its servers whether it uses them or not. maxDNSJitter is added at random, so that sidecars do not ask together.
	minDNSRefresh = 30 * time.Second
	maxDNSJitter  = 10 * time.Second
	// minDNSRetry and maxDNSRetry bound the interval at which a sidecar repeats a failed DNS query.
	minDNSRetry = 2 * time.Second
	maxDNSRetry = 30 * time.Second
)

// serverCluster has a server that decides about requests or receives logs or traces.
func serverCluster(s *translation, name, host string, port uint16) *clusterv3.Cluster {
	out := hostCluster(s, name, host, port)
	out.UpstreamBindConfig = message.UserTimeout(serverTimeout)
	return out
}

// configuredCluster is serverCluster for a server that is no ExtensionService. If connections to it cannot be encrypted as the BackendTLSPolicy of
// its Service demands, it has no endpoint.
func configuredCluster(s *translation, name, host string, port uint16, http1 bool) *clusterv3.Cluster {
	tls := s.HostTLS[catalog.Server{Host: host, Port: port}.String()]
	if tls != nil && tls.Unusable {
		return emptyCluster(name)
	}
	out := serverCluster(s, name, host, port)
	if tls != nil {
		out.TransportSocket = toServerTLS(tls, http1)
	}
	return out
}

// hostCluster has one host outside the mesh, by its DNS name or IP address. A Service of the cluster is reached by its virtual address.
func hostCluster(s *translation, name, host string, port uint16) *clusterv3.Cluster {
	out, address := newCluster(name, clusterv3.Cluster_STATIC), host
	detectDeadPeers(out)
	_, err := netip.ParseAddr(host)
	if ip, known := s.ServerIPs[host]; known {
		address = ip.String()
	} else if err != nil {
		resolveByDNS(out, host, s.Key.Class)
	}
	out.LoadAssignment = message.OneEndpoint(name, message.SocketAddress(address, port))
	return out
}

// resolveByDNS makes a cluster try the addresses of a DNS answer in turn, those of the pod's address families. A host whose name servers do not
// answer does not delay the start of the sidecar.
func resolveByDNS(c *clusterv3.Cluster, host string, class scope.Class) {
	family := commondnsv3.DnsLookupFamily_V4_ONLY
	if class.IPv6 {
		family = commondnsv3.DnsLookupFamily_ALL
	}
	dns := &dnsclusterv3.DnsCluster{
		RespectDnsTtl:                true,
		DnsMinRefreshRate:            durationpb.New(minDNSRefresh),
		DnsJitter:                    durationpb.New(maxDNSJitter),
		DnsFailureRefreshRate:        &dnsclusterv3.DnsCluster_RefreshRate{BaseInterval: durationpb.New(minDNSRetry), MaxInterval: durationpb.New(maxDNSRetry)},
		DnsLookupFamily:              family,
		AllAddressesInSingleEndpoint: true,
	}
	if needsSearchList(host) {
		dns.TypedDnsResolverConfig = searchingResolver
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name:        "envoy.cluster.dns",
		TypedConfig: message.Any(dns),
	}}
	c.WaitForWarmOnInit = wrapperspb.Bool(false)
}

// needsSearchList reports whether a host may be the short name of a Service: "<service>", "<service>.<namespace>" or "<service>.<namespace>.svc".
// All other names are complete, and the search list of the pod would add a query for each of its domains to every lookup.
func needsSearchList(host string) bool {
	return !strings.HasSuffix(host, ".") && (strings.Count(host, ".") < 2 || strings.HasSuffix(host, ".svc"))
}

// searchingResolver uses the search list of the pod, which the resolver of the bootstrap does not.
var searchingResolver = message.Extension("envoy.network.dns_resolver.cares", &caresv3.CaresDnsResolverConfig{DnsResolverOptions: &corev3.DnsResolverOptions{}})
