package envoy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// minDNSRetry and maxDNSRetry bound the interval at which a sidecar repeats a failed DNS query.
	minDNSRetry = 2 * time.Second
	maxDNSRetry = 30 * time.Second
)

// egressClusters are the destinations outside the mesh: one for each host, and one for each port with destinations by address.
func egressClusters(s *scope.Scope) []*clusterv3.Cluster {
	if s.Passthrough {
		return nil
	}
	var out []*clusterv3.Cluster
	for _, port := range s.EgressPorts {
		for _, host := range port.Hosts {
			out = append(out, hostClusters(s, port.Number, host)...)
		}
		if len(port.Ranges) > 0 || s.Egress && port.HasHTTP() {
			out = append(out, originalPortCluster(s, port))
		}
	}
	return out
}

// hostClusters are the clusters of a host: the host itself, and the egress gateway for what it forwards.
func hostClusters(s *scope.Scope, port uint16, host authz.EgressHost) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	direct := func(allowed bool, gateway catalog.Name) bool { return allowed && gateway == (catalog.Name{}) }
	if http := direct(host.HTTP, host.HTTPGateway); http || direct(host.TLS, host.TLSGateway) {
		cluster := outsideCluster(egressClusterName(host.Host, port), host.Host, port, s.Key.Class)
		out = append(out, withEgressSettings(cluster, http, s.EgressUpstreams[host.Setting]))
	}
	if host.HTTPGateway != (catalog.Name{}) {
		out = append(out, toGatewayCluster(s, authz.GatewayDestination{Policy: host.HTTPGateway, Protocol: catalog.ProtocolHTTP, Host: host.Host, Port: port}))
	}
	if host.TLSGateway != (catalog.Name{}) {
		out = append(out, toGatewayCluster(s, authz.GatewayDestination{Policy: host.TLSGateway, Protocol: catalog.ProtocolHTTPS, Host: host.Host, Port: port}))
	}
	return out
}

// outsideCluster resolves a host by DNS, with the name servers of the pod. New connections use the current answer, and open ones are not
// affected when it changes. If a query fails, the last answer applies.
func outsideCluster(name, host string, port uint16, class scope.Class) *clusterv3.Cluster {
	out := serverCluster(name, host, port, class)
	out.Metadata = metadata(map[string]string{serviceField: host})
	out.AltStatName = strings.ReplaceAll(out.Name, ":", "_")
	return out
}

// dnsDiscovery tries the addresses of an answer in turn, those of the pod's address families.
func dnsDiscovery(class scope.Class) *clusterv3.Cluster_CustomClusterType {
	family := commondnsv3.DnsLookupFamily_V4_ONLY
	if class.IPv6 {
		family = commondnsv3.DnsLookupFamily_ALL
	}
	return &clusterv3.Cluster_CustomClusterType{Name: "envoy.cluster.dns", TypedConfig: message.Any(&dnsclusterv3.DnsCluster{
		RespectDnsTtl:                true,
		DnsFailureRefreshRate:        &dnsclusterv3.DnsCluster_RefreshRate{BaseInterval: durationpb.New(minDNSRetry), MaxInterval: durationpb.New(maxDNSRetry)},
		DnsLookupFamily:              family,
		AllAddressesInSingleEndpoint: true,
	})}
}

// originalPortCluster connects to the address that the client chose.
func originalPortCluster(s *scope.Scope, port authz.EgressPort) *clusterv3.Cluster {
	return withEgressSettings(newOriginalDstCluster(originalPortName(port.Number)), port.HasHTTP(), s.EgressUpstreams[port.Setting])
}

func withEgressSettings(c *clusterv3.Cluster, http bool, upstream *scope.Upstream) *clusterv3.Cluster {
	if http {
		c.TypedExtensionProtocolOptions = upstreamHTTP(catalog.ProtocolHTTP, upstream)
	}
	applyConnectionSettings(c, upstream)
	if upstream != nil {
		c.OutlierDetection = outlierDetection(upstream.OutlierDetection)
	}
	return c
}

// hasEgressChains reports whether policies allow destinations outside the mesh.
func hasEgressChains(s *scope.Scope) bool { return !s.Passthrough && len(s.EgressPorts) > 0 }

// hostClusterName is the cluster for connections to a host: the egress gateway if it forwards them because of a policy.
func hostClusterName(gateway catalog.Name, protocol catalog.Protocol, host string, port uint16) string {
	if gateway == (catalog.Name{}) {
		return egressClusterName(host, port)
	}
	return gatewayClusterName(authz.GatewayDestination{Policy: gateway, Protocol: protocol, Host: host, Port: port})
}

// egressClusterName is OSM's name of a host outside the mesh.
func egressClusterName(host string, port uint16) string { return fmt.Sprintf("%s:%d", host, port) }

// IsOutside reports whether a cluster has destinations outside the mesh that Egresses list, or the gateway to them: a host and its port, or a port
// alone. Names of other clusters with a colon have separators that a host cannot have.
func IsOutside(cluster string) bool {
	_, err := strconv.ParseUint(cluster, 10, 16)
	return err == nil || strings.Contains(cluster, ":") && !strings.ContainsAny(cluster, "|/")
}

// originalPortName is OSM's name of the destinations on a port by address.
func originalPortName(port uint16) string { return fmt.Sprint(port) }

func egressRouteName(port uint16) string { return fmt.Sprintf("rds-egress.%d", port) }
