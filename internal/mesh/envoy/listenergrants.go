package envoy

import (
	"crypto/sha256"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// Grant is something that a listener allows its open connections, or the beginning of its hash.
type Grant [16]byte

// ListenerGrants returns what a listener allows its open connections, sorted: to be there under the demands of their filter chain, for each address of the
// listener, and for each match and each cluster of a filter chain. A listener whose successor has all of its grants takes nothing away from them.
//
// What does not concern rights is not part of a grant: logs, traces, statistics, timeouts, weights, the order of chains, and what only new
// connections pass, such as listener filters and limits of connections. Everything else is, whatever it means, so a grant that is unknown here is
// never kept by mistake.
func ListenerGrants(listener *listenerv3.Listener) []Grant {
	grants := &grantSet{}
	rest := proto.CloneOf(listener)
	grants.add("address", rest.GetAddress())
	for _, address := range rest.GetAdditionalAddresses() {
		grants.add("address", address.GetAddress())
	}
	for _, chain := range rest.GetFilterChains() {
		grants.addChain("chain", chain)
	}
	if rest.GetDefaultFilterChain() != nil {
		grants.addChain("default chain", rest.GetDefaultFilterChain())
	}
	rest.Address, rest.AdditionalAddresses, rest.FilterChains, rest.DefaultFilterChain = nil, nil, nil, nil
	rest.AccessLog, rest.StatPrefix, rest.PerConnectionBufferLimitBytes = nil, "", nil
	rest.BypassOverloadManager, rest.IgnoreGlobalConnLimit = false, false
	rest.ListenerFilters, rest.ListenerFiltersTimeout, rest.ContinueOnListenerFiltersTimeout = nil, nil, false
	grants.add("listener", rest)
	slices.SortFunc(grants.list, func(a, b Grant) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(grants.list)
}

// grantSet collects grants.
type grantSet struct{ list []Grant }

func (g *grantSet) add(what string, m proto.Message, names ...string) {
	hash := sha256.New()
	hash.Write([]byte(what + "\x00" + strings.Join(names, "\x00") + "\x00"))
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // the message was unmarshalled
	}
	hash.Write(content)
	g.list = append(g.list, Grant(hash.Sum(nil)))
}

// addChain adds the grants of a filter chain. A chain without filters closes connections and grants nothing. It changes the chain.
func (g *grantSet) addChain(what string, chain *listenerv3.FilterChain) {
	if len(chain.GetFilters()) == 0 {
		return
	}
	name, match := chain.GetName(), chain.GetFilterChainMatch()
	if len(match.GetServerNames()) > 0 {
		for _, server := range match.GetServerNames() {
			g.add("server name", (*anypb.Any)(nil), name, server)
		}
		match.ServerNames = []string{""} // other than none
	}
	if len(match.GetPrefixRanges()) > 0 {
		for _, prefix := range match.GetPrefixRanges() {
			g.add("prefix", prefix, name)
		}
		match.PrefixRanges = []*corev3.CidrRange{{}}
	}
	chain.Metadata, chain.TransportSocketConnectTimeout = nil, nil
	var filters []*listenerv3.Filter
	for _, filter := range chain.GetFilters() {
		if filter = g.demands(name, filter); filter != nil {
			filters = append(filters, filter)
		}
	}
	chain.Filters = filters
	g.add(what, chain)
}

// demands adds the clusters that a filter forwards to, and returns the rest of the filter that concerns rights; nil for none.
func (g *grantSet) demands(chain string, filter *listenerv3.Filter) *listenerv3.Filter {
	if filter.GetName() == globalConnectionFilter || strings.HasPrefix(filter.GetName(), connectionLimitFilter+"|") {
		return nil
	}
	config, err := filter.GetTypedConfig().UnmarshalNew()
	if err != nil {
		return filter // discovered, or of an unknown type
	}
	switch config := config.(type) {
	case *hcmv3.HttpConnectionManager:
		return message.NetworkFilter(filter.GetName(), demandsOfRequests(config))
	case *tcpv3.TcpProxy:
		return message.NetworkFilter(filter.GetName(), g.connectionDemands(chain, config))
	}
	return filter
}

// demandsOfRequests returns what a connection manager demands of requests. Their routes are resources of their own.
func demandsOfRequests(config *hcmv3.HttpConnectionManager) *hcmv3.HttpConnectionManager {
	config.AccessLog, config.AccessLogOptions, config.Tracing, config.StatPrefix, config.GenerateRequestId = nil, nil, nil, "", nil
	config.StreamIdleTimeout, config.RequestTimeout, config.RequestHeadersTimeout, config.DrainTimeout = nil, nil, nil, nil
	if options := config.GetCommonHttpProtocolOptions(); options != nil {
		options.IdleTimeout = nil
	}
	config.LocalReplyConfig, config.Http2ProtocolOptions = nil, nil
	config.HttpFilters = slices.DeleteFunc(config.GetHttpFilters(), func(f *hcmv3.HttpFilter) bool {
		return f.GetName() == message.SessionFilter || f.GetName() == message.RepeatSafeFilter
	})
	return config
}

// connectionDemands adds the clusters of a TCP proxy, and returns what else it demands of connections.
func (g *grantSet) connectionDemands(chain string, config *tcpv3.TcpProxy) *tcpv3.TcpProxy {
	if cluster := config.GetCluster(); cluster != "" {
		g.add("cluster", (*anypb.Any)(nil), chain, cluster)
	}
	for _, cluster := range config.GetWeightedClusters().GetClusters() {
		g.add("cluster", (*anypb.Any)(nil), chain, cluster.GetName())
	}
	// Clusters without weight are in use too: their connections began before.
	config.ClusterSpecifier, config.AccessLog, config.AccessLogOptions, config.StatPrefix = nil, nil, nil, ""
	config.IdleTimeout, config.MaxConnectAttempts, config.MaxEarlyDataBytes, config.UpstreamConnectMode = nil, nil, nil, 0
	if onDemand := config.GetOnDemand(); onDemand != nil {
		onDemand.Timeout = nil
	}
	return config
}

// LosesGrant reports whether one of the sorted grants before is not among those after.
func LosesGrant(before, after []Grant) bool {
	return slices.ContainsFunc(before, func(grant Grant) bool {
		_, found := slices.BinarySearchFunc(after, grant, func(a, b Grant) int { return slices.Compare(a[:], b[:]) })
		return !found
	})
}
