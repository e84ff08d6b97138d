package datapath

import (
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// countManager counts the parts of a request.
func (c *counter) countManager(m *hcmv3.HttpConnectionManager) {
	c.level = "request"
	defer func() { c.level = "connection" }()
	c.add("options of the connection manager", countFields(m))
	c.add("tracers", int(one(m.GetTracing() != nil)))
	config := find[*routev3.RouteConfiguration](c, m.GetRds().GetRouteConfigName())
	host := config.GetVirtualHosts()[0] // of all names
	route := c.countRoutes(host)
	c.countFilters(m.GetHttpFilters(), route.GetTypedPerFilterConfig(), host.GetTypedPerFilterConfig(), config.GetTypedPerFilterConfig())
	for _, edits := range []headerEdits{config, host, route} {
		c.countEdits(edits)
	}
	action := route.GetRoute()
	retry := action.GetRetryPolicy()
	if retry == nil {
		retry = host.GetRetryPolicy()
	}
	c.countRetries(retry)
	name, choices := action.GetCluster(), action.GetWeightedClusters().GetClusters()
	if len(choices) > 0 {
		name = choices[0].GetName()
		c.countEdits(choices[0])
	}
	c.countCluster(name, len(choices))
	c.countLoggers(m.GetAccessLog(), datav3.AccessLogType_DownstreamEnd)
}

// countRoutes counts the routes that the request is compared with, and returns the one that it matches.
func (c *counter) countRoutes(host *routev3.VirtualHost) *routev3.Route {
	for _, route := range host.GetRoutes() {
		c.add("routes", 1)
		if c.isRoute(route.GetMatch()) {
			return route
		}
	}
	c.Fatalf("%s has no route for the request", host.GetName())
	return nil
}

// isRoute compares headers before the path, as Envoy does.
func (c *counter) isRoute(match *routev3.RouteMatch) bool {
	for _, header := range match.GetHeaders() {
		c.add("conditions of routes", 1)
		c.add("regular expressions", countExpressions(header))
		if !c.hasHeader(header) {
			return false
		}
	}
	c.add("conditions of routes", 1)
	path := c.headers[":path"]
	switch p := match.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return strings.HasPrefix(path, p.Prefix)
	case *routev3.RouteMatch_Path:
		return path == p.Path
	case *routev3.RouteMatch_SafeRegex:
		c.add("regular expressions", 1)
		return matchesWhole(p.SafeRegex, path)
	}
	c.Fatalf("does %v match %s?", match, path)
	return false
}

func (c *counter) hasHeader(header *routev3.HeaderMatcher) bool {
	value, is := c.headers[header.GetName()]
	if !is && !header.GetTreatMissingHeaderAsEmpty() {
		return header.GetInvertMatch() && header.GetStringMatch() == nil
	}
	return c.matches(header.GetStringMatch(), value) != header.GetInvertMatch()
}

func (c *counter) matches(matcher *matcherv3.StringMatcher, value string) bool {
	c.Helper()
	switch m := matcher.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return value == m.Exact
	case *matcherv3.StringMatcher_Prefix:
		return strings.HasPrefix(value, m.Prefix)
	case *matcherv3.StringMatcher_Contains:
		return strings.Contains(value, m.Contains)
	case *matcherv3.StringMatcher_SafeRegex:
		return matchesWhole(m.SafeRegex, value)
	}
	c.Fatalf("does %v match %q?", matcher, value)
	return false
}

func matchesWhole(expression *matcherv3.RegexMatcher, value string) bool {
	return regexp.MustCompile(`^(?:` + expression.GetRegex() + `)$`).MatchString(value)
}

// countFilters counts the filters that are enabled for a route. The first list that has a filter configures it.
func (c *counter) countFilters(filters []*hcmv3.HttpFilter, lists ...map[string]*anypb.Any) {
	for _, f := range filters {
		config, enabled := unpacked(c, f.GetTypedConfig()), !f.GetDisabled()
		for _, list := range lists {
			packed, is := list[f.GetName()]
			if !is {
				continue
			}
			own := unpacked(c, packed)
			change, is := own.(*routev3.FilterConfig)
			enabled = !is || !change.GetDisabled()
			if enabled {
				c.add("filter configurations of routes", 1)
			}
			if is && change.GetConfig() != nil {
				own = unpacked(c, change.GetConfig())
			}
			if !is || change.GetConfig() != nil {
				config = own
			}
			break
		}
		if enabled {
			c.countFilter(config)
		}
	}
}

func (c *counter) countFilter(config proto.Message) {
	c.add("HTTP filters", 1)
	c.add("regular expressions", countExpressions(config))
	c.add("header edits", countMessages(config, "envoy.config.common.mutation_rules.v3.HeaderMutation"))
	switch m := config.(type) {
	case *routerv3.Router:
		c.add("statistics of response codes", int(one(m.GetDynamicStats() == nil || m.GetDynamicStats().GetValue())))
	case *httprbacv3.RBAC, *httprbacv3.RBACPerRoute:
		c.add("authorization conditions", countConditions(m))
	}
}

// headerEdits is what route configurations, virtual hosts, routes and clusters have.
type headerEdits interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToRemove() []string
}

func (c *counter) countEdits(e headerEdits) {
	c.add("header edits", len(e.GetRequestHeadersToRemove())+len(e.GetResponseHeadersToRemove()))
	for _, list := range [][]*corev3.HeaderValueOption{e.GetRequestHeadersToAdd(), e.GetResponseHeadersToAdd()} {
		c.add("header edits", len(list))
		for _, option := range list {
			operators, _ := countOperators(option)
			c.add("operators in headers", operators)
		}
	}
}

func (c *counter) countRetries(policy *routev3.RetryPolicy) {
	if policy == nil {
		return
	}
	c.add("retry conditions", len(strings.Split(policy.GetRetryOn(), ","))+len(policy.GetRetriableHeaders())+
		len(policy.GetRetriableRequestHeaders())+len(policy.GetRetryHostPredicate()))
	c.add("regular expressions", countExpressions(policy))
}
