package envoy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// egressClusters are the destinations outside the mesh: one for each host, and one for each port with destinations by address.
func egressClusters(s *translation) []*clusterv3.Cluster {
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
func hostClusters(s *translation, port uint16, host authz.EgressHost) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	direct := func(allowed bool, gateway entity.Name) bool { return allowed && gateway == (entity.Name{}) }
	http := direct(host.HTTP, host.HTTPGateway)
	if http && host.BackendTLS != nil {
		if !host.BackendTLS.Unusable {
			out = append(out, encryptedCluster(s, port, host))
		}
		http = false
	}
	if http || direct(host.TLS, host.TLSGateway) {
		cluster := outsideCluster(s, egressClusterName(host.Host, port), host.Host, port)
		out = append(out, withEgressSettings(cluster, http, s.EgressUpstreams[host.Setting]))
	}
	if host.HTTPGateway != (entity.Name{}) && host.BackendTLS == nil {
		destination := authz.GatewayDestination{Policy: host.HTTPGateway, Protocol: inventory.ProtocolHTTP, Host: host.Host, Port: port}
		out = append(out, toGatewayCluster(s, destination))
	}
	if host.TLSGateway != (entity.Name{}) {
		out = append(out, toGatewayCluster(s, authz.GatewayDestination{Policy: host.TLSGateway, Protocol: catalog.ProtocolHTTPS, Host: host.Host, Port: port}))
	}
	return out
}

// outsideCluster resolves a host by DNS, with the name servers of the pod. New connections use the current answer, and open ones are not
// affected when it changes. If a query fails, the last answer applies.
func outsideCluster(s *translation, name, host string, port uint16) *clusterv3.Cluster {
	out := hostCluster(s, name, host, port)
	out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	out.Metadata = metadata(map[string]string{serviceField: host})
	out.AltStatName = strings.ReplaceAll(out.Name, ":", "_")
	return out
}

// originalPortCluster connects to the address that the client chose.
func originalPortCluster(s *translation, port authz.EgressPort) *clusterv3.Cluster {
	out := newOriginalDstCluster(originalPortName(port.Number))
	out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	return withEgressSettings(out, port.HasHTTP(), s.EgressUpstreams[port.Setting])
}

func withEgressSettings(c *clusterv3.Cluster, http bool, upstream *scope.Upstream) *clusterv3.Cluster {
	if http {
		c.TypedExtensionProtocolOptions = withLifetime(downstreamHTTPVersion(nil), 0, upstream)
	}
	applyConnectionSettings(c, upstream)
	if upstream != nil {
		c.OutlierDetection = outlierDetection(upstream.OutlierDetection)
	}
	return c
}

// hasEgressChains reports whether policies allow destinations outside the mesh.
func hasEgressChains(s *translation) bool { return !s.Passthrough && len(s.EgressPorts) > 0 }

// hostClusterName is the cluster for connections to a host: the egress gateway if it forwards them because of a policy.
func hostClusterName(gateway entity.Name, protocol inventory.Protocol, host string, port uint16) string {
	if gateway == (entity.Name{}) {
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

// defaultHTTPS is the port that a Host header leaves out.
const defaultHTTPS = 443

// egressGatewayClusters are the hosts to which the egress gateway forwards. Those whose credential cannot be used have none.
func egressGatewayClusters(s *translation) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	destinations := s.GatewayDestinations()
	for i := range destinations {
		d := &destinations[i]
		port := d.Port
		if d.TLS != nil {
			port = d.TLS.Port
		}
		cluster := outsideCluster(s, gatewayClusterName(d.GatewayDestination), d.LookupName(), port)
		cluster.Metadata = metadata(map[string]string{serviceField: d.Host})
		if d.TLS != nil {
			if d.Credential == "" {
				continue
			}
			cluster.TransportSocket = originatedTLS(d)
		}
		out = append(out, withEgressSettings(cluster, d.Protocol == inventory.ProtocolHTTP, d.Upstream))
	}
	return out
}

// originatedTLS connects to a host outside the mesh. The server must prove its name to the authorities of the Secret. The gateway presents the
// certificate of the Secret, and never its own. HTTP selects the application protocol.
func originatedTLS(d *scope.EgressDestination) *corev3.TransportSocket {
	common := verifyOutside(authoritiesName(d.Credential), hostMatcher(d.Host))
	if d.HasClientCertificate {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{secretByName(clientCertificateName(d.Credential))}
	}
	context := &tlsv3.UpstreamTlsContext{CommonTlsContext: common}
	if _, err := netip.ParseAddr(d.Host); err != nil {
		context.Sni = d.Host
	}
	return tlsSocket(context)
}

// outsideTLS has the versions for servers outside the mesh. Envoy's default for clients ends at version 1.2.
var outsideTLS = &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3}

// verifyOutside verifies that the certificate of a server outside the mesh has one of the names, by the authorities of a secret.
func verifyOutside(authorities string, subjects ...*tlsv3.SubjectAltNameMatcher) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:             outsideTLS,
		ValidationContextType: message.Validation(&tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: subjects}, secretByName(authorities)),
	}
}

// hostMatcher matches certificates for a host.
func hostMatcher(host string) *tlsv3.SubjectAltNameMatcher {
	kind := tlsv3.SubjectAltNameMatcher_DNS
	if _, err := netip.ParseAddr(host); err == nil {
		kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	return &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: message.Exact(host)}
}

// tlsAuthority is the host of a request that the gateway encrypts.
func tlsAuthority(d *scope.EgressDestination) string {
	host := d.Host
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		host = "[" + host + "]"
	}
	if d.TLS.Port == defaultHTTPS {
		return host
	}
	return fmt.Sprintf("%s:%d", host, d.TLS.Port)
}

// egressCredentialSecrets are the authorities and client certificates of the egress gateway. No other scope has any.
func egressCredentialSecrets(s *scope.Scope) []Resource {
	if s.EgressGateway == nil {
		return nil
	}
	var out []Resource
	for _, c := range s.EgressGateway.Credentials {
		out = append(out, newSecret(trustSecret(authoritiesName(c.Name), c.AuthoritiesPEM, nil)))
		if len(c.ChainPEM) > 0 {
			out = append(out, ServiceCertSecret(clientCertificateName(c.Name), c.ChainPEM, c.KeyPEM))
		}
	}
	return out
}

func authoritiesName(credential string) string { return "egress-authorities:" + credential }

func clientCertificateName(credential string) string { return "egress-certificate:" + credential }
