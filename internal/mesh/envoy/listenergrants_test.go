package envoy_test

import (
	"slices"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// parseListener returns a listener with a TLS chain, a split TCP chain and an HTTP chain.
func parseListener(t *testing.T) *listenerv3.Listener {
	t.Helper()
	listener := &listenerv3.Listener{}
	const text = `{"name": "l", "address": {"socket_address": {"address": "10.96.0.1", "port_value": 80}},
		"additional_addresses": [{"address": {"socket_address": {"address": "10.96.0.2", "port_value": 80}}}],
		"filter_chains": [
			{"name": "tls", "filter_chain_match": {"server_names": ["a.test", "b.test"], "prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]},
				"transport_socket": {"name": "tls", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", "require_client_certificate": true}},
				"filters": [
					{"name": "l4_rbac|x", "config_discovery": {"config_source": {"ads": {}}, "type_urls": ["type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"]}},
					{"name": "l4_local_rate_limit|x", "config_discovery": {"config_source": {"ads": {}}, "type_urls": ["type.googleapis.com/envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit"]}},
					{"name": "tcp_proxy", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "s", "idle_timeout": "60s",
						"weighted_clusters": {"clusters": [{"name": "one", "weight": 90}, {"name": "two", "weight": 10}]}}}]},
			{"name": "http", "filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": [
				{"name": "http_connection_manager", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
					"stat_prefix": "s", "rds": {"route_config_name": "r", "config_source": {"ads": {}}},
					"http_filters": [{"name": "envoy.filters.http.rbac"}, {"name": "http_router"}]}}]}],
		"default_filter_chain": {"name": "passthrough", "filters": [
			{"name": "tcp_proxy", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "p", "cluster": "passthrough"}}]}}`
	if err := protojson.Unmarshal([]byte(text), listener); err != nil {
		t.Fatal(err)
	}
	return listener
}

// edit changes the configuration of a network filter.
func edit[M proto.Message](t *testing.T, filter *listenerv3.Filter, config M, change func(M)) {
	t.Helper()
	if err := filter.GetTypedConfig().UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	change(config)
	packed, err := anypb.New(config)
	if err != nil {
		t.Fatal(err)
	}
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed}
}

func TestListenerGrants(t *testing.T) {
	tls := func(l *listenerv3.Listener) *listenerv3.FilterChain { return l.GetFilterChains()[0] }
	inTCP := func(change func(*tcpv3.TcpProxy)) func(*listenerv3.Listener) {
		return func(l *listenerv3.Listener) { edit(t, tls(l).GetFilters()[2], &tcpv3.TcpProxy{}, change) }
	}
	inHTTP := func(change func(*hcmv3.HttpConnectionManager)) func(*listenerv3.Listener) {
		return func(l *listenerv3.Listener) {
			edit(t, l.GetFilterChains()[1].GetFilters()[0], &hcmv3.HttpConnectionManager{}, change)
		}
	}
	for name, test := range map[string]struct {
		change func(*listenerv3.Listener)
		loses  bool
	}{
		"nothing":         {func(*listenerv3.Listener) {}, false},
		"a log":           {func(l *listenerv3.Listener) { l.AccessLog = []*accesslogv3.AccessLog{{Name: "x"}} }, false},
		"no limit":        {func(l *listenerv3.Listener) { tls(l).Filters = slices.Delete(tls(l).GetFilters(), 1, 2) }, false},
		"idle timeout":    {inTCP(func(p *tcpv3.TcpProxy) { p.IdleTimeout = durationpb.New(time.Second) }), false},
		"weights":         {inTCP(func(p *tcpv3.TcpProxy) { p.GetWeightedClusters().GetClusters()[0].Weight = 1 }), false},
		"one cluster":     {inTCP(func(p *tcpv3.TcpProxy) { p.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: "one"} }), true},
		"a cluster fewer": {inTCP(func(p *tcpv3.TcpProxy) { p.GetWeightedClusters().Clusters = p.GetWeightedClusters().GetClusters()[:1] }), true},
		"a cluster more": {inTCP(func(p *tcpv3.TcpProxy) {
			p.GetWeightedClusters().Clusters = append(p.GetWeightedClusters().GetClusters(), &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: "3", Weight: 1})
		}), false},
		"an address fewer": {func(l *listenerv3.Listener) { l.AdditionalAddresses = nil }, true},
		"addresses in order": {func(l *listenerv3.Listener) {
			l.Address, l.AdditionalAddresses[0].Address = l.GetAdditionalAddresses()[0].GetAddress(), l.GetAddress()
		}, false},
		"a chain fewer": {func(l *listenerv3.Listener) { l.FilterChains = l.GetFilterChains()[1:] }, true},
		"a chain more": {func(l *listenerv3.Listener) {
			l.FilterChains = append(l.GetFilterChains(), &listenerv3.FilterChain{Name: "new", Filters: []*listenerv3.Filter{{Name: "x"}}})
		}, false},
		"chains in order":  {func(l *listenerv3.Listener) { slices.Reverse(l.GetFilterChains()) }, false},
		"no default":       {func(l *listenerv3.Listener) { l.DefaultFilterChain = nil }, true},
		"a closed default": {func(l *listenerv3.Listener) { l.GetDefaultFilterChain().Filters = nil }, true},
		"a name fewer":     {func(l *listenerv3.Listener) { tls(l).GetFilterChainMatch().ServerNames = []string{"a.test"} }, true},
		"a name more": {func(l *listenerv3.Listener) {
			m := tls(l).GetFilterChainMatch()
			m.ServerNames = append(m.GetServerNames(), "c.test")
		}, false},
		"another prefix": {func(l *listenerv3.Listener) {
			tls(l).GetFilterChainMatch().GetPrefixRanges()[0].PrefixLen = wrapperspb.UInt32(9)
		}, true},
		"another port": {func(l *listenerv3.Listener) { tls(l).GetFilterChainMatch().DestinationPort = wrapperspb.UInt32(1) }, true},
		"no TLS":       {func(l *listenerv3.Listener) { tls(l).TransportSocket = nil }, true},
		"another network filter": {func(l *listenerv3.Listener) {
			tls(l).Filters = append([]*listenerv3.Filter{{Name: "l4_rbac|y"}}, tls(l).GetFilters()...)
		}, true},
		"a trace": {inHTTP(func(m *hcmv3.HttpConnectionManager) { m.Tracing = &hcmv3.HttpConnectionManager_Tracing{} }), false},
		"an authorization": {inHTTP(func(m *hcmv3.HttpConnectionManager) {
			m.HttpFilters = append([]*hcmv3.HttpFilter{{Name: "envoy.filters.http.ext_authz"}}, m.GetHttpFilters()...)
		}), true},
		"no RBAC":                {inHTTP(func(m *hcmv3.HttpConnectionManager) { m.HttpFilters = m.GetHttpFilters()[1:] }), true},
		"normalization of paths": {inHTTP(func(m *hcmv3.HttpConnectionManager) { m.NormalizePath = wrapperspb.Bool(true) }), true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := parseListener(t), parseListener(t)
			test.change(after)
			unchanged := proto.CloneOf(after)
			if got := envoy.LosesGrant(envoy.ListenerGrants(before), envoy.ListenerGrants(after)); got != test.loses {
				t.Errorf("something is lost: %t, want %t", got, test.loses)
			}
			if !proto.Equal(unchanged, after) {
				t.Error("the listener is changed")
			}
		})
	}
}
