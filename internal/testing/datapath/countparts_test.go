package datapath

import (
	"math"
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// partNames are the parts that are counted: first those of a connection, then those of a request. The connection or request is allowed and succeeds. What
// Envoy does for a share of them counts as that share.
var partNames = slices.Concat(
	[]string{"connection: listener filters", "connection: network filters", "connection: authorization conditions", "connection: options of the proxy"},
	commonParts("connection"),
	[]string{
		"request: HTTP filters", "request: filter configurations of routes", "request: authorization conditions", "request: options of the connection manager",
		"request: tracers", "request: routes", "request: conditions of routes", "request: regular expressions", "request: retry conditions",
		"request: header edits", "request: operators in headers", "request: statistics of response codes",
	},
	commonParts("request"),
)

// commonParts are the loggers and clusters of a connection or request.
func commonParts(level string) []string {
	names := []string{
		"loggers", "conditions of loggers", "expressions", "log entries", "operators in the log", "counters", "histograms", "labels", "operators in statistics",
		"clusters to choose from", "options of the cluster", "statistics of the cluster", "upstream filters",
	}
	for i := range names {
		names[i] = level + ": " + names[i]
	}
	return names
}

// counter counts the parts of a sidecar's configuration.
type counter struct {
	testing.TB
	resources []envoy.Resource
	// level is "connection" or "request".
	level string
	// headers are those of the request.
	headers map[string]string
	// event is what loggers are told about.
	event datav3.AccessLogType
	parts map[string]float64
}

// countParts counts the parts that an allowed connection or request passes.
func countParts(t testing.TB, p protocol, resources []envoy.Resource) map[string]float64 {
	c := &counter{TB: t, resources: resources, level: "connection", headers: requestHeaders(p), parts: map[string]float64{}}
	listeners := c.listeners()
	for _, l := range listeners {
		c.add("listener filters", len(l.GetListenerFilters()))
	}
	last := listeners[len(listeners)-1] // hands over to no other
	c.countLoggers(last.GetAccessLog(), datav3.AccessLogType_DownstreamEnd)
	filters := last.GetFilterChains()[0].GetFilters() // the chain of all clients
	c.add("network filters", len(filters))
	for _, f := range filters {
		c.countNetworkFilter(f)
	}
	return c.parts
}

// requestHeaders are what an application sends.
func requestHeaders(p protocol) map[string]string {
	if p.name == "gRPC" {
		return map[string]string{
			":method": "POST", ":path": "/grpc.testing.TestService/UnaryCall", ":authority": "books.shop:9000", "content-type": "application/grpc",
		}
	}
	return map[string]string{":method": "GET", ":path": "/books", ":authority": "books.shop:8080"}
}

// add counts a part of the current level.
func (c *counter) add(part string, n int) { c.addShare(part, float64(n)) }

// addShare counts a part that may be one of a share of the connections or requests only.
func (c *counter) addShare(part string, n float64) {
	c.Helper()
	name := c.level + ": " + part
	if !slices.Contains(partNames, name) {
		c.Fatalf("the table has no row %q", name)
	}
	const precision = 1e6 // shares are sums of products
	c.parts[name] = math.Round((c.parts[name]+n)*precision) / precision
}

// listeners returns the listeners that a connection passes. Only the listener of a server decrypts. A client has the listener that connections are redirected
// to, which has filters, and then that of the destination.
func (c *counter) listeners() []*listenerv3.Listener {
	var inbound, outbound []*listenerv3.Listener
	for _, r := range c.resources {
		l, is := r.Message.(*listenerv3.Listener)
		switch {
		case !is:
		case l.GetTrafficDirection() == corev3.TrafficDirection_OUTBOUND:
			outbound = append(outbound, l)
		case l.GetFilterChains()[0].GetTransportSocket() != nil:
			inbound = append(inbound, l)
		}
	}
	if len(inbound) > 0 {
		return inbound
	}
	slices.SortStableFunc(outbound, func(a, b *listenerv3.Listener) int { return len(b.GetListenerFilters()) - len(a.GetListenerFilters()) })
	return outbound
}

func (c *counter) countNetworkFilter(f *listenerv3.Filter) {
	config := f.GetTypedConfig()
	if f.GetConfigDiscovery() != nil {
		config = find[*corev3.TypedExtensionConfig](c, f.GetName()).GetTypedConfig()
	}
	m := unpacked(c, config)
	switch m := m.(type) {
	case *hcmv3.HttpConnectionManager:
		c.countManager(m)
	case *tcpv3.TcpProxy:
		c.countProxy(m)
	default:
		c.add("authorization conditions", countConditions(m))
	}
}

func (c *counter) countProxy(m *tcpv3.TcpProxy) {
	c.add("options of the proxy", countFields(m))
	for _, event := range []datav3.AccessLogType{datav3.AccessLogType_TcpUpstreamConnected, datav3.AccessLogType_TcpConnectionEnd} {
		c.countLoggers(m.GetAccessLog(), event)
	}
	name, choices := m.GetCluster(), m.GetWeightedClusters().GetClusters()
	if len(choices) > 0 {
		name = choices[0].GetName()
	}
	c.countCluster(name, len(choices))
}

// countCluster counts the parts of a cluster, which is one of several.
func (c *counter) countCluster(name string, choices int) {
	cluster := find[*clusterv3.Cluster](c, name)
	c.add("clusters to choose from", choices)
	c.add("options of the cluster", countFields(cluster))
	c.add("statistics of the cluster", countFields(cluster.GetTrackClusterStats()))
	for _, limit := range cluster.GetCircuitBreakers().GetThresholds() {
		if limit.GetTrackRemaining() {
			c.add("statistics of the cluster", 1)
		}
	}
	c.add("upstream filters", len(cluster.GetFilters()))
	for _, options := range cluster.GetTypedExtensionProtocolOptions() {
		if http, is := unpacked(c, options).(*upstreamsv3.HttpProtocolOptions); is {
			c.add("upstream filters", len(http.GetHttpFilters()))
		}
	}
}

// find returns the resource with a name.
func find[M interface {
	proto.Message
	GetName() string
}](c *counter, name string) M {
	c.Helper()
	for _, r := range c.resources {
		if m, is := r.Message.(M); is && m.GetName() == name {
			return m
		}
	}
	var none M
	c.Fatalf("there is no %T %q", none, name)
	return none
}

func unpacked(t testing.TB, config *anypb.Any) proto.Message {
	t.Helper()
	m, err := config.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
