package takeover

import (
	"regexp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	dnsclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	httpglobalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// Reduce changes a message and all that it contains to what Envoy 1.22 knows.
func Reduce(m proto.Message) { reduce(m.ProtoReflect()) }

func reduce(m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *anypb.Any:
		if content, err := m.UnmarshalNew(); err == nil {
			reduce(content.ProtoReflect())
			m.Value = message.Any(content).GetValue()
		}
		return
	case *clusterv3.Cluster:
		reduceCluster(m)
	case *listenerv3.Listener, *tlsinspectorv3.TlsInspector, *hcmv3.HttpConnectionManager, *tcpv3.TcpProxy, *extauthzv3.ExtAuthz,
		*httpglobalv3.RateLimit, *tracev3.ZipkinConfig:
		reduceConnections(m)
	case *routev3.VirtualHost:
		m.RequestBodyBufferLimit = nil
	case *routev3.Route:
		reduceRoute(m)
	case *corev3.HttpProtocolOptions:
		m.MaxResponseHeadersKb = nil
	case *routev3.RouteAction_RequestMirrorPolicy:
		m.DisableShadowHostSuffixAppend = false
	case *matcherv3.RegexMatcher:
		m.EngineType = &matcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &matcherv3.RegexMatcher_GoogleRE2{}} //nolint:staticcheck // it was required
	case *corev3.HeaderValueOption:
		m.Append = wrapperspb.Bool(m.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD) //nolint:staticcheck // what came after it was not implemented
		m.AppendAction, m.KeepEmptyValue = 0, false
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				reduce(v.Message())
				return true
			})
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				reduce(value.List().Get(i).Message())
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			reduce(value.Message())
		}
		return true
	})
}

// reduceConnections changes listeners and their filters.
func reduceConnections(m proto.Message) {
	switch m := m.(type) {
	case *listenerv3.Listener:
		m.TcpKeepalive, m.BypassOverloadManager = nil, false
	case *tlsinspectorv3.TlsInspector:
		m.CloseConnectionOnClientHelloParsingErrors = false
	case *hcmv3.HttpConnectionManager:
		m.InternalAddressConfig = nil
		m.HttpFilters = slices.DeleteFunc(m.GetHttpFilters(), func(f *hcmv3.HttpFilter) bool {
			return f.GetName() == message.SessionFilter
		})
	case *tcpv3.TcpProxy:
		m.AccessLogOptions, m.UpstreamConnectMode, m.MaxEarlyDataBytes = nil, tcpv3.UpstreamConnectMode_IMMEDIATE, nil
	case *extauthzv3.ExtAuthz:
		m.FailureModeAllowHeaderAdd = false
	case *httpglobalv3.RateLimit:
		m.RateLimitedStatus, m.StatusOnError = nil, nil
	case *tracev3.ZipkinConfig:
		m.TraceContextOption = 0
	}
}

// reduceCluster changes a cluster. Names are resolved by an earlier kind of cluster, with the search list of the pod for all of them.
func reduceCluster(c *clusterv3.Cluster) {
	c.UpstreamBindConfig = nil // it has options of sockets only, and that Envoy required an address too
	if c.GetOutlierDetection() != nil {
		c.OutlierDetection.AlwaysEjectOneHost = nil // it always does
	}
	if c.GetOriginalDstLbConfig() != nil {
		c.LbConfig = nil // the port is that of the pods
	}
	dns := &dnsclusterv3.DnsCluster{}
	if c.GetClusterType().GetTypedConfig().UnmarshalTo(dns) != nil {
		return
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
	c.DnsLookupFamily, c.RespectDnsTtl, c.DnsRefreshRate = clusterv3.Cluster_V4_ONLY, true, dns.GetDnsMinRefreshRate() //nolint:staticcheck // what came after it is not known
	c.DnsFailureRefreshRate = &clusterv3.Cluster_RefreshRate{                                                          //nolint:staticcheck // the same
		BaseInterval: dns.GetDnsFailureRefreshRate().GetBaseInterval(), MaxInterval: dns.GetDnsFailureRefreshRate().GetMaxInterval(),
	}
}

// reduceRoute changes a route. A prefix that ends at a slash is an expression.
func reduceRoute(r *routev3.Route) {
	delete(r.GetTypedPerFilterConfig(), message.RepeatSafeFilter)
	if action := r.GetRoute(); action != nil {
		action.ClusterNotFoundResponseCode = routev3.RouteAction_SERVICE_UNAVAILABLE
	}
	prefix := r.GetMatch().GetPathSeparatedPrefix()
	if prefix == "" {
		return
	}
	quoted := regexp.QuoteMeta(prefix)
	r.Match.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(quoted + "(/.*)?")}
	if action := r.GetRoute(); action.GetPrefixRewrite() != "" {
		action.PrefixRewrite, action.RegexRewrite = "", message.Substitute("^"+quoted, action.GetPrefixRewrite())
	}
	if redirect := r.GetRedirect(); redirect.GetPrefixRewrite() != "" {
		redirect.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: message.Substitute("^"+quoted, redirect.GetPrefixRewrite())}
	}
}
