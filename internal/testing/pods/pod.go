package pods

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/flags"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// Pod is a network namespace with addresses and, unless it is bare, a sidecar.
type Pod struct {
	NS *nstest.Namespace
	// IP is the IPv4 address, and IP6 the IPv6 address. They are equal in a pod without an IPv4 address.
	IP, IP6 netip.Addr
	// PID is the process ID of the sidecar, 0 without one.
	PID int
	// CA issues the certificate of the sidecar, and is its root; nil for that of the network. Set it before Configure.
	CA *pki.Authority

	name    string
	network *Network
	version int
	chain   []byte
	key     []byte
}

// Addresses returns the addresses of the pod.
func (p *Pod) Addresses() []netip.Addr { return slices.Compact([]netip.Addr{p.IP, p.IP6}) }

// environment has the variables of the network, and those with the account of the pod, if it is known.
func (p *Pod) environment() []string {
	env := slices.Clone(p.network.Env)
	if account, known := p.network.Accounts[p.name]; known {
		env = append(env, names.PodNamespaceEnv+"="+account.Namespace, "SERVICE_ACCOUNT="+account.Name)
	}
	return env
}

// HandOver starts a second sidecar with a bootstrap. The first one drains, and the admin interface is that of the second one.
func (p *Pod) HandOver(t testing.TB, config *bootstrapv3.Bootstrap) {
	t.Helper()
	envoytest.HandOver(t, p.NS, p.network.program, p.network.Dir, p.name, p.network.Drain, config, p.environment()...)
}

// Dir returns a directory for files of the pod that the sidecar can read. It may not exist yet.
func (p *Pod) Dir() string { return filepath.Join(p.network.Dir, p.name+".d") }

// Configure sends the resources of a scope and its endpoints, and returns when they are active in the sidecar. A NACK fails
// the test with Envoy's error. The pod keeps the certificate of its first scope.
func (p *Pod) Configure(t testing.TB, s *scope.Scope, endpoints ...scope.Endpoints) {
	t.Helper()
	p.SendAll(t, s, envoy.Build(s), endpoints...)
}

// SendAll is Configure with other resources than those of the scope, without endpoints and secrets.
func (p *Pod) SendAll(t testing.TB, s *scope.Scope, built []envoy.Resource, endpoints ...scope.Endpoints) {
	t.Helper()
	authority := cmp.Or(p.CA, p.network.CA)
	if p.chain == nil {
		p.chain, p.key = authority.Issue(t, s.Key.Identity, s.TrustDomain)
	}
	resources := slices.Concat(
		built,
		envoy.TrustSecrets(s, authority.RootPEM),
		[]envoy.Resource{envoy.ServiceCertSecret(envoy.ServiceCertName, p.chain, p.key)},
	)
	for _, e := range endpoints {
		resources = append(resources, envoy.Endpoints(e.Key.ClusterName(), e))
	}
	p.Send(t, resources)
}

// Send is Configure with explicit resources.
func (p *Pod) Send(t testing.TB, resources []envoy.Resource) {
	t.Helper()
	p.version++
	p.network.xds.set(t, p.name, p.version, append(resources, sentinel(p.version)...))
	client := p.NS.HTTP()
	eventually.True(t, 20*time.Second, fmt.Sprintf("%s has version %d", p.name, p.version), func() bool {
		if refused := p.network.xds.rejection(p.name); refused != "" {
			t.Fatalf("the sidecar of %s rejects its configuration: %s", p.name, refused)
		}
		answer, err := client.Get("http://" + sentinelAddress(p.version))
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusNotFound && !p.isWarming(t)
	})
}

// isWarming reports whether a listener or a cluster still waits for its routes, endpoints or secrets. The sentinel waits for its own only,
// so it can be the first of its version.
func (p *Pod) isWarming(t testing.TB) bool {
	t.Helper()
	return strings.Contains(p.Admin(t, "/config_dump?resource=dynamic_listeners"), `"warming_state"`) ||
		strings.Contains(p.Admin(t, "/config_dump?resource=dynamic_warming_clusters"), `"@type"`)
}

// Admin requests a path of the sidecar's admin interface.
func (p *Pod) Admin(t testing.TB, path string) string {
	t.Helper()
	answer, err := p.NS.HTTP().Get("http://127.0.0.1:15000" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ServeHTTP runs an HTTP application on a port of the pod until the test ends. It supports HTTP/2 without TLS.
func (p *Pod) ServeHTTP(t testing.TB, port uint16, handler http.Handler) {
	t.Helper()
	p.ServeHTTPAt(t, nstest.Address("127.0.0.1", port), handler)
}

// ServeHTTPAt is ServeHTTP on an address and port of the pod, for servers without a sidecar.
func (p *Pod) ServeHTTPAt(t testing.TB, address string, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	listener := p.NS.Listen(t, address)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// ServeTCP runs a TCP application on a port of the pod until the test ends; the connection is closed when it returns.
func (p *Pod) ServeTCP(t testing.TB, port uint16, application func(net.Conn)) {
	t.Helper()
	p.ServeTCPAt(t, nstest.Address("127.0.0.1", port), application)
}

// ServeTCPAt is ServeTCP on an address and port of the pod, for servers without a sidecar.
func (p *Pod) ServeTCPAt(t testing.TB, address string, application func(net.Conn)) {
	t.Helper()
	listener := p.NS.Listen(t, address)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				application(conn)
			}()
		}
	}()
}

// bootstrap returns a bootstrap that fetches all resources over delta ADS from a Unix socket, which every namespace can reach.
func bootstrap(node, socket string) *bootstrapv3.Bootstrap {
	return &bootstrapv3.Bootstrap{
		Node:  &corev3.Node{Id: node, Cluster: "test"},
		Admin: &bootstrapv3.Admin{Address: tcp("127.0.0.1", names.AdminPort)},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: &corev3.ApiConfigSource{
				ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion: corev3.ApiVersion_V3,
				GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: names.Controller},
				}}},
			},
			CdsConfig: ads(),
			LdsConfig: ads(),
		},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{xdsCluster(socket)}},
		LayeredRuntime:  flags.Layer(),
	}
}

func xdsCluster(socket string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:           names.Controller,
		ConnectTimeout: durationpb.New(time.Second),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: names.Controller,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
					Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: socket}}},
				}},
			}}}},
		},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(&httpv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
					ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
						ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
							Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
						},
					},
				},
			}),
		},
	}
}

func tcp(address string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       address,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func packed(m proto.Message) *anypb.Any {
	out, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return out
}

func sentinelName(version int) string { return fmt.Sprintf("sentinel-%d", version) }

// sentinelAddress is the address of a version's sentinel inside the pod.
func sentinelAddress(version int) string { return fmt.Sprintf("127.0.0.1:%d", sentinelPort(version)) }

func sentinelPort(version int) uint32 { return uint32(20000 + version) }

// sentinel returns a listener on a separate port for each version. It responds only when its routes have arrived, which Envoy
// requests last, and when the worker thread has applied all earlier updates.
func sentinel(version int) []envoy.Resource {
	name := sentinelName(version)
	routes := &routev3.RouteConfiguration{Name: name}
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: name,
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
		}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads(), RouteConfigName: name}},
	}
	listener := &listenerv3.Listener{
		Name:    name,
		Address: tcp("127.0.0.1", sentinelPort(version)),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "hcm",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(hcm)},
		}}}},
	}
	return []envoy.Resource{
		{TypeURL: envoy.ListenerType, Name: name, Message: listener},
		{TypeURL: envoy.RouteType, Name: name, Message: routes},
	}
}
