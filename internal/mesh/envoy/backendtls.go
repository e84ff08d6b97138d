package envoy

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// encryptedCluster connects to a host outside the mesh for requests, which a BackendTLSPolicy encrypts. TLS connections of the application have
// another cluster.
func encryptedCluster(s *translation, port uint16, host authz.EgressHost) *clusterv3.Cluster {
	out := outsideCluster(s, encryptedClusterName(host.Host, port), host.Host, port)
	// The sidecar presents no certificate: servers outside the mesh need not know who the client is.
	out.TransportSocket = tlsSocket(&tlsv3.UpstreamTlsContext{
		CommonTlsContext: verifyOutside(egressAuthoritiesName(host.BackendTLS.Policy), subjectMatchers(host.BackendTLS.Names)...),
		Sni:              host.BackendTLS.ServerName,
	})
	return withEgressSettings(out, true, s.EgressUpstreams[host.Setting])
}

// toServerTLS encrypts connections to a server of the mesh. The authorities are part of the cluster, because gateways, which have no SDS secrets of a
// namespace, use such servers too.
func toServerTLS(tls *authz.BackendTLS, http1 bool) *corev3.TransportSocket {
	validation := &tlsv3.CertificateValidationContext{
		TrustedCa:                 &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: tls.AuthoritiesPEM}},
		MatchTypedSubjectAltNames: subjectMatchers(tls.Names),
	}
	protocol := "h2"
	if http1 {
		protocol = "http/1.1"
	}
	return tlsSocket(&tlsv3.UpstreamTlsContext{Sni: tls.ServerName, CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams: outsideTLS, AlpnProtocols: []string{protocol},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation},
	}})
}

// subjectMatchers match a certificate that has one of the names.
func subjectMatchers(names []catalog.SubjectAltName) []*tlsv3.SubjectAltNameMatcher {
	var list []*tlsv3.SubjectAltNameMatcher
	for _, name := range names {
		kind := tlsv3.SubjectAltNameMatcher_DNS
		if name.IsURI {
			kind = tlsv3.SubjectAltNameMatcher_URI
		}
		list = append(list, &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: message.Exact(name.Name)})
	}
	return list
}

// encryptedClusterName is the name of a host whose requests are encrypted. No host has it, because "tls" is not a part of an address.
func encryptedClusterName(host string, port uint16) string {
	return fmt.Sprintf("tls:%s:%d", host, port)
}

// unencryptable answers requests that cannot be encrypted as a BackendTLSPolicy demands.
func unencryptable() *routev3.Route {
	return &routev3.Route{Action: directResponse(503, "the BackendTLSPolicy of this host cannot be used\n")}
}

// egressAuthoritySecrets are the authorities by which a sidecar verifies servers outside the mesh.
func egressAuthoritySecrets(s *scope.Scope) []Resource {
	var out []Resource
	for _, a := range s.EgressAuthorities {
		out = append(out, newSecret(trustSecret(egressAuthoritiesName(a.Policy), a.PEM, nil)))
	}
	return out
}

func egressAuthoritiesName(policy entity.Name) string {
	return "backend-authorities:" + policy.String()
}
