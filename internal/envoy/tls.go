package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// serverTLS is how a sidecar speaks to its clients. It requires their certificate; which of them may come in is the
// business of RBAC and, where the trust secret has names, of the handshake. It must not agree on an application protocol itself: Envoy would take the agreed name "osm" for the
// HTTP version and no longer recognise HTTP/2.
func serverTLS(s *scope.Scope, trust string) *corev3.TransportSocket {
	return tlsSocket(&tlsv3.DownstreamTlsContext{
		RequireClientCertificate: wrapperspb.Bool(true),
		CommonTlsContext:         commonTLS(s, trust, nil),
	})
}

// clientTLS is how a sidecar speaks to the servers behind a Service. The trust secret carries the identities they may have.
func clientTLS(s *scope.Scope, service catalog.Name) *corev3.TransportSocket {
	return tlsSocket(&tlsv3.UpstreamTlsContext{
		Sni:              names.ServiceHost(service.Name, service.Namespace),
		CommonTlsContext: commonTLS(s, OutboundTrustName(service), []string{meshALPN}),
	})
}

func commonTLS(s *scope.Scope, trust string, alpn []string) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams: tlsParams(s.TLS),
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{
			{Name: ServiceCertName(s.Key.Identity), SdsConfig: ads},
		},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: trust, SdsConfig: ads},
		},
		AlpnProtocols: alpn,
	}
}

// tlsParams leaves out what is unset or unknown, so that Envoy's own default, never a weaker one, applies. Envoy's newest version is
// TLS 1.2 for clients, though: with 1.3 as the oldest there would be none left.
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
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(context)},
	}
}
