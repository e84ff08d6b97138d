package bootstrap

import (
	"path"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Names of the two secrets for the connection to the control plane. Envoy reads one secret per file, so there are two
// files. They contain no key material but the paths of volumes that the kubelet keeps up to date.
const (
	tokenSecretName = "token"
	trustSecretName = "trust"
)

// secretConfig is a secret that Envoy reads from a file again whenever the kubelet replaces the watched volume.
func secretConfig(name, file, watched string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
			Path: file, WatchedDirectory: &corev3.WatchedDirectory{Path: watched},
		}},
	}}
}

// xdsTLS verifies that the control plane has a certificate for ads.<trust domain> that the trusted root signed.
func xdsTLS(c Config) *corev3.TransportSocket {
	server := names.ADSCommonName(c.TrustDomain)
	return message.TransportSocket("envoy.transport_sockets.tls", &tlsv3.UpstreamTlsContext{
		Sni: server,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{
				TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
				TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
			},
			AlpnProtocols: []string{"h2"},
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: &tlsv3.CertificateValidationContext{
						MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{
							{SanType: tlsv3.SubjectAltNameMatcher_DNS, Matcher: message.Exact(server)},
						},
					},
					ValidationContextSdsSecretConfig: secretConfig(trustSecretName, c.configFile(TrustSecretFile), c.Dirs.Trust),
				},
			},
		},
	})
}

func tokenSecret(dirs Dirs) *tlsv3.Secret {
	return &tlsv3.Secret{Name: tokenSecretName, Type: &tlsv3.Secret_GenericSecret{
		GenericSecret: &tlsv3.GenericSecret{Secret: dataFile(dirs.Token, names.TokenFile)},
	}}
}

func trustSecret(dirs Dirs) *tlsv3.Secret {
	return &tlsv3.Secret{Name: trustSecretName, Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: dataFile(dirs.Trust, names.CABundleCert)},
	}}
}

func dataFile(dir, file string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path.Join(dir, file)}}
}

// secretFile is the format in which Envoy reads a secret from a file.
func secretFile(secret *tlsv3.Secret) *discoveryv3.DiscoveryResponse {
	return &discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{message.Any(secret)}}
}
