package envoy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (s *translation) routeResources(list []*routev3.RouteConfiguration) []Resource {
	s.markRequests(list)
	return newResources(RouteType, (*routev3.RouteConfiguration).GetName, list)
}

// inboundRouteConfigs are the route configurations of the workload's HTTP ports.
func inboundRouteConfigs(s *translation, inbound []inboundPort) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, in := range inbound {
		if in.Protocol.IsHTTP() {
			out = append(out, inboundRoutes(s, in, inboundRouteName(in), in.Rules.Routes, ownAccounts(s)))
		}
	}
	return append(out, peerRouteConfigs(s, inbound)...)
}

// outboundRouteConfigs are the route configurations of the HTTP ports of destinations with listeners of their own.
func outboundRouteConfigs(s *translation, reachable []destination) []*routev3.RouteConfiguration {
	var out []*routev3.RouteConfiguration
	for _, d := range reachable {
		if d.Protocol.IsHTTP() {
			out = append(out, outboundRoutes(s, d.Outbound))
		}
	}
	return out
}

// clientRouteConfigs are those of outboundRouteConfigs that differ for this client because of its own policies.
func clientRouteConfigs(s *translation, reachable []destination) []*routev3.RouteConfiguration {
	return outboundRouteConfigs(s, lists.Filter(reachable, func(d destination) bool { return s.MarksRequests || hasClientPolicies(s, d.Service) }))
}

// hasClientPolicies reports whether policies of this client change the routes of a Service.
func hasClientPolicies(s *translation, service entity.Name) bool { return s.RetryOf(service) != nil }

// inboundRoutes selects the requests that reach the application. A request without a route gets 404; a request with a
// route that is granted to other clients gets 403.
//
// The Host header is not matched: clients may use any name of the Service, a pod name or the root of a TrafficSplit. They may receive a
// change later than the server.
func inboundRoutes[A authz.Account[A]](s *translation, in inboundPort, name string, rules []authz.RouteOf[A], by recognition) *routev3.RouteConfiguration {
	host := virtualHost("inbound", in.Service, in.ports...)
	host.TypedPerFilterConfig = map[string]*anypb.Any{httpRBACFilter: requestRBAC(rules, by, in.DecodeSlashes)}
	skipUnusedAuthorization(s, host)
	if limit := portRequestLimit(in.Limits); limit != nil {
		host.TypedPerFilterConfig[httpLimitFilter] = limitRequests(limit)
	}
	host.RateLimits = portDescriptors(in.Limits)
	local := []weightedCluster{{cluster: localClusterName(in.Service, in.TargetPort), weight: 1}}
	var routes []*routev3.Route
	limit := limitMetadata(in.Limits)
	for _, r := range rules {
		route := &routev3.Route{
			Name: routeName(r.Match), Metadata: limit, Match: decodedMatch(r.Match, in.DecodeSlashes),
			Action: withDescriptors(forward(local, 0, nil), routeDescriptors(in.Limits, r.Match.PathRegex)),
		}
		if limit := routeLimit(in.Limits, r.Match.PathRegex); limit != nil {
			route.TypedPerFilterConfig = map[string]*anypb.Any{httpLimitFilter: limitRequests(limit)}
		}
		routes = append(routes, route)
	}
	return serverRoutes(s, name, host, routes, in.DecodeSlashes)
}

func withDescriptors(action *routev3.Route_Route, descriptors []*routev3.RateLimit) *routev3.Route_Route {
	action.Route.RateLimits = descriptors
	return action
}

// serverRoutes is the route configuration of a port that others call. Whoever calls, ambiguous requests are rejected, and the application
// receives the address of the connection.
func serverRoutes(s *translation, name string, host *routev3.VirtualHost, routes []*routev3.Route, decoded bool) *routev3.RouteConfiguration {
	host.RetryPolicy = localRetryPolicy
	host.Routes = withFault(append(ambiguousRequestRoutes(), routes...))
	protectNames(s, host, true)
	config := routeConfig(name, host)
	if decoded {
		host.Routes = append([]*routev3.Route{hiddenDotsAtServer(host.GetTypedPerFilterConfig())}, host.GetRoutes()...)
		config.Name, config.RequestHeadersToRemove = decodedRouteName(name), []string{pathHeader}
	}
	config.RequestHeadersToAdd = forwardedForHeader
	s.removeMarks(config)
	config.ResponseHeadersToRemove = []string{retry.NotProcessed}
	return config
}

// forwardedForHeader appends the address of the client's pod to x-forwarded-for. Earlier entries are claims of the
// client, which may be a gateway.
var forwardedForHeader = []*corev3.HeaderValueOption{{
	Header:       &corev3.HeaderValue{Key: "x-forwarded-for", Value: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"},
	AppendAction: corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
}}

// outboundRoutes sends the requests that a route or TrafficSplit selects to its backends, and all others to the backends of the
// port. The server's sidecar authorizes them.
func outboundRoutes(s *translation, o scope.Outbound) *routev3.RouteConfiguration {
	return routeConfig(outboundRouteName(o), outboundVirtualHost(s, o))
}

func outboundVirtualHost(s *translation, o scope.Outbound) *routev3.VirtualHost {
	host := outboundHost(s, o)
	if o.StandIn {
		repeatAtStandIn(host)
	}
	return host
}

func outboundHost(s *translation, o scope.Outbound) *routev3.VirtualHost {
	host, own := virtualHost("outbound", o.Service, o.Port), s.RetryOf(o.Service)
	if o.Imported {
		name := names.ClusterSetHost(o.Service.Name, o.Service.Namespace)
		host.Domains = slices.Insert(host.GetDomains(), len(host.GetDomains())-1, name, fmt.Sprintf("%s:%d", name, o.Port)) // the last one is any
	}
	host.RequestBodyBufferLimit = repeatedBody
	if o.Routed {
		host.Routes = routedRequests(s, o, own)
		return host
	}
	for _, r := range o.Routes {
		for _, match := range r.Matches {
			host.Routes = appendRoute(host.Routes, outboundRoute(o, requestMatch(match), r.Backends, own))
		}
	}
	host.Routes = appendRoute(host.Routes, outboundDestinationRoute(s, o, own))
	return host
}

func outboundRoute(o scope.Outbound, match *routev3.RouteMatch, list []scope.Backend, own *retrySettings) *routev3.Route {
	if to := weightedClusters(o, list); len(to) > 0 {
		return &routev3.Route{Match: match, Action: forward(to, requestTimeout(o.Upstream), retryPolicy(own))}
	}
	return &routev3.Route{Match: match, Action: noBackendResponse()}
}

func routeConfig(name string, host *routev3.VirtualHost) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:             name,
		VirtualHosts:     []*routev3.VirtualHost{host},
		ValidateClusters: wrapperspb.Bool(false),
	}
}

// virtualHost lists every name of the Service, for OSM's tools, and matches any other name too.
func virtualHost(direction string, service entity.Name, ports ...uint16) *routev3.VirtualHost {
	host := &routev3.VirtualHost{
		Name: fmt.Sprintf("%s_virtual-host|%s", direction, names.ServiceHost(service.Name, service.Namespace)),
	}
	domain := service.Name
	for _, suffix := range []string{"", "." + service.Namespace, ".svc", ".cluster", ".local"} {
		domain += suffix
		host.Domains = append(host.Domains, domain)
		host.Domains = append(host.Domains, lists.Map(ports, func(port uint16) string { return fmt.Sprintf("%s:%d", domain, port) })...)
	}
	host.Domains = append(host.Domains, "*")
	return host
}

// forward sends requests to clusters by weight. A timeout of 0 means none.
func forward(to []weightedCluster, timeout time.Duration, repeat *routev3.RetryPolicy) *routev3.Route_Route {
	action := &routev3.RouteAction{Timeout: durationpb.New(timeout), RetryPolicy: repeat}
	if len(to) == 1 && to[0].filters == nil { // a choice costs a request 1% of the processor time of two sidecars
		action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: to[0].cluster}
	} else {
		action.ClusterSpecifier = split(to)
	}
	return &routev3.Route_Route{Route: action}
}

func split(to []weightedCluster) *routev3.RouteAction_WeightedClusters {
	out := &routev3.WeightedCluster{}
	for _, b := range to {
		weighted := &routev3.WeightedCluster_ClusterWeight{Name: b.cluster, Weight: wrapperspb.UInt32(b.weight)}
		if b.filters != nil {
			weighted.RequestHeadersToAdd, weighted.RequestHeadersToRemove = headerOptions(b.filters.Request), b.filters.Request.Remove
			weighted.ResponseHeadersToAdd, weighted.ResponseHeadersToRemove = headerOptions(b.filters.Response), b.filters.Response.Remove
		}
		out.Clusters = append(out.Clusters, weighted)
	}
	return &routev3.RouteAction_WeightedClusters{WeightedClusters: out}
}

// noBackendResponse answers requests for which no backend has a weight, or that no TrafficSplit selects.
func noBackendResponse() *routev3.Route_DirectResponse {
	return directResponse(503, "no backend of this service has a share of this request: see its TrafficSplits\n")
}

func directResponse(status uint32, text string) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: status,
		Body:   message.Inline(text),
	}}
}

// ambiguousRequestRoutes rejects requests that the policy and the application could read differently. Envoy treats
// "..;x" as an ordinary segment, but some application servers drop the part after the semicolon and resolve the dots.
// Two Host headers arrive as one value with a comma.
func ambiguousRequestRoutes() []*routev3.Route {
	dots := anyRequest()
	dots.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(`.*/\.\.?;.*`)}
	dots.Headers = []*routev3.HeaderMatcher{message.Header(":path", contains(";"))} // few paths have one, and Envoy compares headers before it runs the expression
	hosts := anyRequest()
	hosts.Headers = []*routev3.HeaderMatcher{message.Header(":authority", contains(","))}
	return []*routev3.Route{
		{Match: dots, Action: directResponse(400, "a path segment of dots with parameters is ambiguous\n")},
		{Match: hosts, Action: directResponse(400, "more than one host is ambiguous\n")},
	}
}

// anyRequest matches every path.
func anyRequest() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
}

// requestMatch matches the whole path without its query, the method and the headers.
func requestMatch(m catalog.HTTPMatch) *routev3.RouteMatch {
	out := &routev3.RouteMatch{}
	setPath(out, m.PathRegex)
	if len(m.Methods) > 0 {
		out.Headers = append(out.Headers, methodMatcher(m.Methods))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, message.Header(h.Name, regexValue(h.Regex)))
	}
	return out
}

// maxRouteName is the maximum length of the name of a route in characters. It is a label of metrics.
const maxRouteName = 128

// routeName names a route by what it matches. Policies bound the number of names.
func routeName(m catalog.HTTPMatch) string {
	var name strings.Builder
	if len(m.Methods) > 0 {
		name.WriteString(strings.Join(m.Methods, ",") + " ")
	}
	name.WriteString(cmp.Or(m.PathRegex, ".*"))
	for _, h := range m.Headers {
		if name.Len() > maxRouteName*utf8.UTFMax {
			break // the rest is cut in any case
		}
		name.WriteString(" " + h.Name)
	}
	if runes := []rune(name.String()); len(runes) > maxRouteName {
		return string(runes[:maxRouteName-1]) + "…"
	}
	return name.String()
}

// methodMatcher matches any of the methods. Methods are quoted because they are not regular expressions.
func methodMatcher(methods []string) *routev3.HeaderMatcher {
	if len(methods) == 1 {
		return message.Header(":method", message.Exact(methods[0]))
	}
	return message.Header(":method", regexValue(strings.Join(lists.Map(methods, regexp.QuoteMeta), "|")))
}
