package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// serverTLS requires a client certificate. RBAC decides which clients may connect, and so does the handshake where the
// trust secret lists names.
//
// It negotiates no application protocol: Envoy would take a negotiated "osm" for the HTTP version and no longer detect
// HTTP/2.
func serverTLS(s *scope.Scope, trust string) *corev3.TransportSocket {
	return tlsSocket(&tlsv3.DownstreamTlsContext{
		RequireClientCertificate: wrapperspb.Bool(true),
		CommonTlsContext:         commonTLS(s, trust),
	})
}

// clientTLS connects to the servers behind a Service. A server must prove one of the identities.
func clientTLS(s *scope.Scope, service catalog.Name, servers []identity.ServiceAccount) *corev3.TransportSocket {
	return clientTLSTo(s, names.ServiceHost(service.Name, service.Namespace), servers)
}

// clientTLSTo requests a server name. The server must prove one of the identities.
func clientTLSTo(s *scope.Scope, serverName string, servers []identity.ServiceAccount) *corev3.TransportSocket {
	common := commonTLS(s, OutboundTrustName)
	common.AlpnProtocols = []string{meshALPN}
	common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: &tlsv3.CertificateValidationContext{
				MatchTypedSubjectAltNames: matchPrincipals(allowedPrincipals(servers, s.AcceptedServerDomains())),
			},
			ValidationContextSdsSecretConfig: common.GetValidationContextSdsSecretConfig(),
		},
	}
	return tlsSocket(&tlsv3.UpstreamTlsContext{Sni: serverName, CommonTlsContext: common})
}

func commonTLS(s *scope.Scope, trust string) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:                      tlsParams(s.TLS),
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: ServiceCertName, SdsConfig: ads}},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: trust, SdsConfig: ads},
		},
	}
}

// tlsParams leaves out unset and unknown values, so that Envoy's default applies and never a weaker setting. Envoy's
// default maximum for clients is TLS 1.2, so a minimum of 1.3 sets the maximum too.
func tlsParams(t catalog.TLS) *tlsv3.TlsParameters {
	version := func(name string) tlsv3.TlsParameters_TlsProtocol {
		return tlsv3.TlsParameters_TlsProtocol(tlsv3.TlsParameters_TlsProtocol_value[name])
	}
	least, most := version(t.MinVersion), version(t.MaxVersion)
	if least == tlsv3.TlsParameters_TLSv1_3 {
		most = least
	}
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: least,
		TlsMaximumProtocolVersion: most,
		CipherSuites:              t.CipherSuites,
		EcdhCurves:                t.ECDHCurves,
	}
}

func tlsSocket(context proto.Message) *corev3.TransportSocket {
	return message.TransportSocket("envoy.transport_sockets.tls", context)
}
