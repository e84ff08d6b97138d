package envoy

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// serverTLS requires a client certificate. RBAC decides which clients may connect, and so does the handshake where the
// trust secret lists names.
//
// It negotiates no application protocol: Envoy would take a negotiated "osm" for the HTTP version and no longer detect
// HTTP/2.
func serverTLS(s *translation, trust string) *corev3.TransportSocket {
	return serverSocket(commonTLS(s, trust))
}

func serverSocket(common *tlsv3.CommonTlsContext) *corev3.TransportSocket {
	return tlsSocket(&tlsv3.DownstreamTlsContext{RequireClientCertificate: wrapperspb.Bool(true), CommonTlsContext: common})
}

// clientTLS connects to the servers behind a Service. A server must prove one of the identities.
func clientTLS(s *translation, service entity.Name, servers []identity.ServiceAccount) *corev3.TransportSocket {
	return clientTLSTo(s, names.ServiceHost(service.Name, service.Namespace), servers)
}

// clientTLSTo requests a server name. The server must prove one of the identities.
func clientTLSTo(s *translation, serverName string, servers []identity.ServiceAccount) *corev3.TransportSocket {
	common := commonTLS(s, OutboundTrustName)
	common.AlpnProtocols = []string{meshALPN}
	admitOnly(common, allowedPrincipals(servers, s.AcceptedServerDomains()))
	return tlsSocket(&tlsv3.UpstreamTlsContext{Sni: serverName, CommonTlsContext: common})
}

// admitOnly requires that a certificate has one of the principals.
func admitOnly(common *tlsv3.CommonTlsContext, principals []string) {
	allowed := &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: lists.Map(principals, message.DNSName)}
	common.ValidationContextType = message.Validation(allowed, common.GetValidationContextSdsSecretConfig())
}

func commonTLS(s *translation, trust string) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:                      tlsParams(s.TLS),
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secretByName(ServiceCertName)},
		ValidationContextType:          &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: secretByName(trust)},
	}
}

// secretByName refers to a secret that the control plane sends.
func secretByName(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: ads}
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

// unmatchableName is a name that no certificate of the mesh can carry. Envoy takes an empty list of names for "any
// name".
const unmatchableName = "nobody.invalid"

// ServiceCertSecret holds a certificate chain and its private key, both PEM. The name of that of a workload is ServiceCertName.
func ServiceCertSecret(name string, chainPEM, keyPEM []byte) Resource {
	return newSecret(&tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inlineBytes(chainPEM),
			PrivateKey:       inlineBytes(keyPEM),
		}},
	})
}

// TrustSecrets are the validation contexts of a scope, sorted by name. There is one for the servers that it calls, without names because
// these are in the clusters. There is one for its clients, without names because RBAC authorizes requests by name. Each TCP port with
// rules, and each destination of the egress gateway, has one with the identities that may connect. Each peer has one with its roots. A peer gateway has none,
// because it encrypts nothing.
func TrustSecrets(s *scope.Scope, rootPEM []byte) []Resource {
	if s.Key.Proxy == scope.ProxyPeerGateway {
		return nil
	}
	anyClient := InboundTrustName(s.Key.Identity)
	list := []*tlsv3.Secret{trustSecret(OutboundTrustName, rootPEM, nil), trustSecret(anyClient, rootPEM, nil)}
	for _, in := range mergeInbound(s.Inbound) {
		if name := inboundTrustName(s.Key.Identity, in); name != anyClient {
			var clients []identity.ServiceAccount
			for _, rule := range in.Rules.Network {
				clients = append(clients, rule.Sources...)
			}
			list = append(list, trustSecret(name, rootPEM, allowedPrincipals(clients, s.AcceptedClientDomains())))
		}
	}
	list = slices.Concat(list, egressGatewayTrust(s, rootPEM), peerTrust(s))
	return newResources(SecretType, (*tlsv3.Secret).GetName, list)
}

// allowedPrincipals are the principals of accounts in all trust domains, sorted by account and unique. The list is never empty.
func allowedPrincipals[A authz.Account[A]](accounts []A, trustDomains []string) []string {
	if len(accounts) == 0 {
		return []string{unmatchableName}
	}
	var principals []string
	for _, account := range slices.Compact(slices.SortedFunc(slices.Values(accounts), A.Compare)) {
		principals = append(principals, account.Principals(trustDomains)...)
	}
	return principals
}

// trustSecret trusts certificates of the root that carry one of the principals, or all certificates of the root
// without principals.
func trustSecret(name string, rootPEM []byte, principals []string) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 inlineBytes(rootPEM),
			MatchTypedSubjectAltNames: lists.Map(principals, message.DNSName),
		}},
	}
}

// matchPrincipals matches certificates with one of the principals.

func newSecret(s *tlsv3.Secret) Resource {
	return Resource{TypeURL: SecretType, Name: s.GetName(), Message: s}
}

func inlineBytes(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}
