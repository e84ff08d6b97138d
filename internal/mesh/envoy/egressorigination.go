package envoy

import (
	"fmt"
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// defaultHTTPS is the port that a Host header leaves out.
const defaultHTTPS = 443

// egressGatewayClusters are the hosts to which the egress gateway forwards. Those whose credential cannot be used have none.
func egressGatewayClusters(s *scope.Scope) []*clusterv3.Cluster {
	if s.EgressGateway == nil {
		return nil
	}
	var out []*clusterv3.Cluster
	for i := range s.EgressGateway.Destinations {
		d := &s.EgressGateway.Destinations[i]
		port := d.Port
		if d.TLS != nil {
			port = d.TLS.Port
		}
		cluster := outsideCluster(gatewayClusterName(d.GatewayDestination), d.Host, port, s.Key.Class)
		if d.TLS != nil {
			if d.Credential == "" {
				continue
			}
			cluster.TransportSocket = originatedTLS(d)
		}
		out = append(out, withEgressSettings(cluster, d.Protocol == catalog.ProtocolHTTP, d.Upstream))
	}
	return out
}

// originatedTLS connects to a host outside the mesh. The server must prove its name to the authorities of the Secret. The gateway presents the
// certificate of the Secret, and never its own. HTTP selects the application protocol.
func originatedTLS(d *scope.EgressDestination) *corev3.TransportSocket {
	common := &tlsv3.CommonTlsContext{
		// Envoy's default for clients ends at version 1.2.
		TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
		ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext:         &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{hostMatcher(d.Host)}},
				ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: authoritiesName(d.Credential), SdsConfig: ads},
			},
		},
	}
	if d.HasClientCertificate {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{{Name: clientCertificateName(d.Credential), SdsConfig: ads}}
	}
	context := &tlsv3.UpstreamTlsContext{CommonTlsContext: common}
	if _, err := netip.ParseAddr(d.Host); err != nil {
		context.Sni = d.Host
	}
	return tlsSocket(context)
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
