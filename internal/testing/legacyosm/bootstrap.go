package legacyosm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// CommonName is the name in the client certificate of a sidecar.
func CommonName(uuid string, account identity.ServiceAccount, trustDomain string) string {
	return uuid + ".sidecar." + account.Principal(trustDomain)
}

// bootstrapLifetime is how long the certificate of a bootstrap is valid.
const bootstrapLifetime = 10 * 365 * 24 * time.Hour

// ClientCertificate returns a certificate as OSM's injector issues it for a bootstrap, and its key, both PEM. Changes are for tests of certificates
// that OSM would not issue.
func ClientCertificate(t testing.TB, authority *pki.Authority, commonName string, changes ...func(*x509.Certificate)) (chainPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{commonName},
		Subject:   pkix.Name{CommonName: commonName, Organization: []string{"Open Service Mesh"}},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(bootstrapLifetime), BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, change := range changes {
		change(template)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Sign(t, template, key)}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// Bootstrap is the bootstrap of OSM's sidecar. Its certificates are inline, where OSM's are in files, and it has the cluster of the node, which OSM
// gives as an argument.
func Bootstrap(nodeID, host string, rootPEM, chainPEM, keyPEM []byte) *bootstrapv3.Bootstrap {
	inline := func(content []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: content}}
	}
	tls := &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		AlpnProtocols: []string{"h2"},
		TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		},
		TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: inline(chainPEM), PrivateKey: inline(keyPEM)}},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(rootPEM)},
		},
	}}
	http2 := &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{},
		},
	}}
	ads := &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
	return &bootstrapv3.Bootstrap{
		Node:  &corev3.Node{Id: nodeID, Cluster: "osm"},
		Admin: &bootstrapv3.Admin{Address: message.SocketAddress("127.0.0.1", names.AdminPort)},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: &corev3.ApiConfigSource{
				ApiType: corev3.ApiConfigSource_GRPC, TransportApiVersion: corev3.ApiVersion_V3, SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: names.Controller},
				}}},
			},
			CdsConfig: ads, LdsConfig: ads,
		},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{{
			Name:                          names.Controller,
			ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_LOGICAL_DNS},
			TypedExtensionProtocolOptions: map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(http2)},
			TransportSocket:               message.TransportSocket("envoy.transport_sockets.tls", tls),
			LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: names.Controller, Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{message.Endpoint(message.SocketAddress(host, names.ADSPort))},
			}}},
		}}},
	}
}

// UUID returns the UUID of the sidecar with a number.
func UUID(number int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", number) }
