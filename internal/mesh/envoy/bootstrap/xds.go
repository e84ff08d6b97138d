package bootstrap

import (
	"path"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	commondnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	credentialinjectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	connectTimeout = 2 * time.Second
	// A lost connection to the control plane is detected after at most the sum of these two. The server must allow
	// pings at this interval.
	keepaliveInterval = 30 * time.Second
	keepaliveTimeout  = 10 * time.Second
	// The address of the control plane changes only with its Service, so sidecars ask for it rarely, and not all at once. After a failure they
	// ask between dnsFailureRefresh and dnsMaxFailureRefresh.
	dnsRefresh           = time.Minute
	dnsJitter            = 30 * time.Second
	dnsFailureRefresh    = time.Second
	dnsMaxFailureRefresh = 5 * time.Second
	// Reconnects back off with full jitter between these two, so that sidecars reconnect to a restarted control plane
	// within seconds but not all at once.
	retryBase = 500 * time.Millisecond
	retryMax  = 10 * time.Second
)

// dynamicResources gets clusters and listeners from the aggregated stream. The first response has no timeout: a
// sidecar without configuration would report itself ready and reject all traffic.
func dynamicResources() *bootstrapv3.Bootstrap_DynamicResources {
	source := &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   durationpb.New(0),
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		AdsConfig: adsSource(),
		CdsConfig: source,
		LdsConfig: proto.CloneOf(source),
	}
}

// adsSource sends the node in the first request of a stream only. The node lists all extensions of Envoy and takes 60
// KB; an ACK without it takes 100 bytes.
func adsSource() *corev3.ApiConfigSource {
	source := controlPlaneSource(corev3.ApiConfigSource_DELTA_GRPC)
	source.SetNodeOnFirstMessageOnly = true
	return source
}

// controlPlaneSource is a gRPC service of the control plane.
func controlPlaneSource(api corev3.ApiConfigSource_ApiType) *corev3.ApiConfigSource {
	service := message.GRPC(names.Controller)
	service.GetEnvoyGrpc().RetryPolicy = &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
		BaseInterval: durationpb.New(retryBase), MaxInterval: durationpb.New(retryMax),
	}}
	return &corev3.ApiConfigSource{ApiType: api, TransportApiVersion: corev3.ApiVersion_V3, GrpcServices: []*corev3.GrpcService{service}}
}

// xdsCluster is the control plane. Its address comes from DNS, the connection uses TLS, and requests carry the pod's
// token.
func xdsCluster(c Config) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: names.Controller,
		ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
			Name: "envoy.clusters.dns", TypedConfig: message.Any(xdsDNS(c)),
		}},
		ConnectTimeout:  durationpb.New(connectTimeout),
		LoadAssignment:  endpoints(names.Controller, c.XDSHost, c.XDSPort),
		TransportSocket: xdsTLS(c),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			message.HTTPProtocolOptions: message.Any(xdsHTTP(c)),
		},
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveTime: wrapperspb.UInt32(uint32(keepaliveInterval.Seconds())),
		}},
	}
}

// xdsDNS resolves the control plane's address periodically, and more often after a failure. Connections outlive a
// changed address. A lookup is one query, unless the control plane lacks the first address family of the pod.
func xdsDNS(c Config) *dnsv3.DnsCluster {
	family := commondnsv3.DnsLookupFamily_V4_PREFERRED
	if !c.hasIPv4() {
		family = commondnsv3.DnsLookupFamily_V6_ONLY
	}
	return &dnsv3.DnsCluster{
		AllAddressesInSingleEndpoint: true,
		DnsLookupFamily:              family,
		DnsRefreshRate:               durationpb.New(dnsRefresh),
		DnsJitter:                    durationpb.New(dnsJitter),
		DnsFailureRefreshRate: &dnsv3.DnsCluster_RefreshRate{
			BaseInterval: durationpb.New(dnsFailureRefresh), MaxInterval: durationpb.New(dnsMaxFailureRefresh),
		},
	}
}

// dnsResolver takes names as they are. Each search domain of the pod would add a query to every lookup. Clusters whose host may be a short name
// have a resolver of their own.
func dnsResolver() *corev3.TypedExtensionConfig {
	return message.Extension("envoy.network.dns_resolver.cares", &caresv3.CaresDnsResolverConfig{
		DnsResolverOptions: &corev3.DnsResolverOptions{NoDefaultSearchDomain: true},
	})
}

// xdsHTTP adds the token to every request to the control plane, without a scheme. Envoy reads the token again when the
// kubelet replaces it.
func xdsHTTP(c Config) *upstreamhttpv3.HttpProtocolOptions {
	credential := &genericv3.Generic{
		Header:     "authorization",
		Credential: secretConfig(tokenSecretName, c.configFile(TokenSecretFile), c.Dirs.Token),
	}
	injector := &credentialinjectorv3.CredentialInjector{
		Overwrite:  true,
		Credential: message.Extension("envoy.http.injected_credentials.generic", credential),
	}
	options := http2(&corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
		Interval: durationpb.New(keepaliveInterval), Timeout: durationpb.New(keepaliveTimeout),
	}})
	options.HttpFilters = []*hcmv3.HttpFilter{
		message.HTTPFilter("credential", injector),
		message.HTTPFilter("codec", &upstreamcodecv3.UpstreamCodec{}),
	}
	return options
}

// http2 makes a cluster use HTTP/2.
func http2(options *corev3.Http2ProtocolOptions) *upstreamhttpv3.HttpProtocolOptions {
	return &upstreamhttpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: options},
			},
		},
	}
}

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
			ValidationContextType: message.Validation(
				&tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{message.DNSName(server)}},
				secretConfig(trustSecretName, c.configFile(TrustSecretFile), c.Dirs.Trust),
			),
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
