package bootstrap

import (
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
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/names"
)

const (
	connectTimeout = 2 * time.Second
	// A control plane that went away without a word is noticed after at most the sum of these two. Its server must
	// allow pings this often.
	keepaliveInterval = 30 * time.Second
	keepaliveTimeout  = 10 * time.Second
	dnsRefresh        = 5 * time.Second
	dnsFailureRefresh = time.Second
	// Reconnects back off with full jitter between these two, so that a restarted control plane is found again
	// within seconds and not by every sidecar at once.
	retryBase = 500 * time.Millisecond
	retryMax  = 10 * time.Second
)

// dynamicResources asks for clusters and listeners on the one aggregated stream. There is no time limit on the first
// answer: a sidecar that started without configuration would report itself ready and refuse all traffic.
func dynamicResources() *bootstrapv3.Bootstrap_DynamicResources {
	source := &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   durationpb.New(0),
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		AdsConfig: discovery(),
		CdsConfig: source,
		LdsConfig: proto.CloneOf(source),
	}
}

// discovery says who asks with the first request of a stream only: Envoy's words about itself, with a list of all its extensions,
// are 60 KB, an acknowledgement without them is 100 bytes.
func discovery() *corev3.ApiConfigSource {
	source := controlPlane(corev3.ApiConfigSource_DELTA_GRPC)
	source.SetNodeOnFirstMessageOnly = true
	return source
}

// controlPlane is a gRPC service of the control plane.
func controlPlane(api corev3.ApiConfigSource_ApiType) *corev3.ApiConfigSource {
	return &corev3.ApiConfigSource{
		ApiType:             api,
		TransportApiVersion: corev3.ApiVersion_V3,
		GrpcServices: []*corev3.GrpcService{{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: names.Controller,
				RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
					BaseInterval: durationpb.New(retryBase), MaxInterval: durationpb.New(retryMax),
				}},
			}},
		}},
	}
}

// xdsCluster is the control plane, found by DNS, reached with TLS, addressed with the pod's token.
func xdsCluster(c Config) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: names.Controller,
		ClusterDiscoveryType: &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
			Name: "envoy.clusters.dns", TypedConfig: pack(xdsDNS()),
		}},
		ConnectTimeout:  durationpb.New(connectTimeout),
		LoadAssignment:  endpoints(names.Controller, c.XDSHost, c.XDSPort),
		TransportSocket: xdsTLS(c),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			httpOptions: pack(xdsHTTP(c)),
		},
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveTime: wrapperspb.UInt32(uint32(keepaliveInterval.Seconds())),
		}},
	}
}

// xdsDNS asks for the control plane's address again and again, and at once more often while there is no answer. A
// connection outlives a changed address.
func xdsDNS() *dnsv3.DnsCluster {
	return &dnsv3.DnsCluster{
		AllAddressesInSingleEndpoint: true,
		DnsLookupFamily:              commondnsv3.DnsLookupFamily_ALL,
		DnsRefreshRate:               durationpb.New(dnsRefresh),
		DnsFailureRefreshRate: &dnsv3.DnsCluster_RefreshRate{
			BaseInterval: durationpb.New(dnsFailureRefresh), MaxInterval: durationpb.New(dnsRefresh),
		},
		TypedDnsResolverConfig: typed("envoy.network.dns_resolver.cares", &caresv3.CaresDnsResolverConfig{
			// The name is complete: each search domain of the pod would be one more question before every answer.
			DnsResolverOptions: &corev3.DnsResolverOptions{NoDefaultSearchDomain: true},
		}),
	}
}

// xdsHTTP puts the token into every request to the control plane. The token is read again when the kubelet replaces
// it; it is sent as it is, without a scheme.
func xdsHTTP(c Config) *upstreamhttpv3.HttpProtocolOptions {
	credential := pack(&genericv3.Generic{Header: "authorization", Credential: secretConfig(tokenSecretName, c.inDir(TokenSecretFile), c.Dirs.Token)})
	injector := pack(&credentialinjectorv3.CredentialInjector{
		Overwrite:  true,
		Credential: &corev3.TypedExtensionConfig{Name: "envoy.http.injected_credentials.generic", TypedConfig: credential},
	})
	options := http2(&corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
		Interval: durationpb.New(keepaliveInterval), Timeout: durationpb.New(keepaliveTimeout),
	}})
	options.HttpFilters = []*hcmv3.HttpFilter{
		httpFilter("credential", injector),
		httpFilter("codec", pack(&upstreamcodecv3.UpstreamCodec{})),
	}
	return options
}

// httpOptions is the name under which a cluster has its options of HTTP.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// http2 makes a cluster speak HTTP/2.
func http2(options *corev3.Http2ProtocolOptions) *upstreamhttpv3.HttpProtocolOptions {
	return &upstreamhttpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: options},
			},
		},
	}
}
