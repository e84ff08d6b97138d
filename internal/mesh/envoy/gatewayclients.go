package envoy

import (
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// verifyClients verifies certificates of clients. The authorities are a Secret of their own: other authorities apply to new connections, and do not
// close others. The mode is part of the listener, so it changes together with the requirement of a certificate.
func verifyClients(context *tlsv3.DownstreamTlsContext, clients *scope.GatewayClients) {
	mode := &tlsv3.CertificateValidationContext{}
	if clients.AllowInvalid {
		mode.TrustChainVerification = tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED
	}
	context.RequireClientCertificate = wrapperspb.Bool(!clients.AllowInvalid)
	context.CommonTlsContext.ValidationContextType = message.Validation(mode, secretByName(gatewayAuthoritiesName(clients.Authorities)))
}

func gatewayAuthoritiesName(authorities string) string { return "gateway-authorities:" + authorities }
