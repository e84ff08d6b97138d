package envoy

import (
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// noBackend is a cluster that does not exist: the share of a backend that cannot be used is answered with 500.
const noBackend = "no-backend"

// routeOf returns the route of a match. The port is that to which clients connect. The policy repeats requests for which the route does not say it;
// nil means the default.
func routeOf(port uint16, r *scope.HTTPRoute, own *retrySettings) *routev3.Route {
	out := &routev3.Route{Match: routeMatch(r.Match)}
	to, usable := routeClusters(r.Backends)
	setHeaderEdits(out, r.Filters.HeaderFilters, to)
	switch {
	case r.Unsupported:
		out.Action = directResponse(500, "the route uses something that the mesh does not support: see its status\n")
	case r.Filters.Redirect != nil:
		out.Action = &routev3.Route_Redirect{Redirect: redirectOf(port, r)}
	case r.Denied:
		out.Action = directResponse(403, "no policy allows the ingress gateway to call this service\n")
	case !usable:
		out.Action = directResponse(500, "the route has no usable backend: see its status\n")
	default:
		action := forward(to, r.Timeout, routeRetry(r, own))
		action.Route.ClusterNotFoundResponseCode = routev3.RouteAction_INTERNAL_SERVER_ERROR
		rewriteRequest(action.Route, r)
		action.Route.RequestMirrorPolicies = mirrorPolicies(r.Mirrors)
		out.Action = action
		if r.Repeat != nil && r.Repeat.Never {
			repeatNever(out)
		}
		if r.Session != nil {
			keepSession(out, r.Session)
		}
	}
	return out
}

// routeClusters are the clusters of a route, and whether any of them exists.
func routeClusters(backends []scope.Backend) (to []weightedCluster, usable bool) {
	to = weightedClusters(scope.Outbound{}, backends)
	for i := range to {
		usable = usable || to[i].cluster != ""
		if to[i].cluster == "" {
			to[i].cluster = noBackend
		}
	}
	return to, usable
}

func routeMatch(m catalog.RouteMatch) *routev3.RouteMatch {
	out := anyRequest()
	switch prefix := strings.TrimRight(m.Path, "/"); {
	case m.PathType == "Exact":
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Path}
	case m.PathType == "RegularExpression":
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(m.Path)}
	case prefix != "":
		out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: prefix}
	default:
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
	}
	if m.Method != "" {
		out.Headers = append(out.Headers, methodMatcher([]string{m.Method}))
	}
	for _, h := range m.Headers {
		value := message.Exact(h.Value)
		if h.Regex {
			value = regexValue(h.Value)
		}
		name := strings.ToLower(h.Name)
		if name == "host" {
			name = ":authority"
		}
		out.Headers = append(out.Headers, message.Header(name, value))
	}
	for _, q := range m.Query {
		value := message.Exact(q.Value)
		if q.Regex {
			value = regexValue(q.Value)
		}
		out.QueryParameters = append(out.QueryParameters, &routev3.QueryParameterMatcher{
			Name: q.Name, QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: value},
		})
	}
	return out
}

// headerOptions sets and adds headers. Values are literal, so Envoy's format operators are escaped.
func headerOptions(edits catalog.HeaderEdits) []*corev3.HeaderValueOption {
	var out []*corev3.HeaderValueOption
	add := func(list []catalog.HeaderValue, action corev3.HeaderValueOption_HeaderAppendAction) {
		for _, h := range list {
			out = append(out, &corev3.HeaderValueOption{
				Header:         &corev3.HeaderValue{Key: h.Name, Value: strings.ReplaceAll(h.Value, "%", "%%")},
				AppendAction:   action,
				KeepEmptyValue: true,
			})
		}
	}
	add(edits.Set, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	add(edits.Add, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	return out
}

// rewriteRequest changes the host and path of a forwarded request.
func rewriteRequest(action *routev3.RouteAction, r *scope.HTTPRoute) {
	rewrite := r.Filters.Rewrite
	if rewrite == nil {
		return
	}
	if rewrite.Hostname != "" {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: rewrite.Hostname}
	}
	if rewrite.Path != nil {
		action.PrefixRewrite, action.RegexRewrite = pathRewrite(r.Match, *rewrite.Path)
	}
}

// redirectOf answers with another address. Without a scheme and a port, the port of the listener stays. With a scheme alone, it is that of the
// scheme, as the Gateway API specifies: Envoy keeps the port of a Host header that is not the standard one.
func redirectOf(port uint16, r *scope.HTTPRoute) *routev3.RedirectAction {
	redirect := r.Filters.Redirect
	out := &routev3.RedirectAction{HostRedirect: redirect.Hostname, PortRedirect: uint32(redirect.Port), ResponseCode: redirectCode(redirect.Status)}
	if redirect.Scheme != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: redirect.Scheme}
		if redirect.Port == 0 && port != 80 && port != 443 {
			out.PortRedirect = standardPort(redirect.Scheme)
		}
	} else if redirect.Hostname != "" && redirect.Port == 0 && port != 80 && port != 443 {
		out.PortRedirect = uint32(port)
	}
	if redirect.Path == nil {
		return out
	}
	if !redirect.Path.Prefix {
		out.PathRewriteSpecifier = &routev3.RedirectAction_PathRedirect{PathRedirect: redirect.Path.Value}
		return out
	}
	prefix, regex := pathRewrite(r.Match, *redirect.Path)
	if regex != nil {
		out.PathRewriteSpecifier = &routev3.RedirectAction_RegexRewrite{RegexRewrite: regex}
	} else {
		out.PathRewriteSpecifier = &routev3.RedirectAction_PrefixRewrite{PrefixRewrite: prefix}
	}
	return out
}

// standardPort is the port of a scheme that a redirect can have.
func standardPort(scheme string) uint32 {
	if scheme == "https" {
		return 443
	}
	return 80
}

func redirectCode(status uint32) routev3.RedirectAction_RedirectResponseCode {
	switch status {
	case 301:
		return routev3.RedirectAction_MOVED_PERMANENTLY
	case 303:
		return routev3.RedirectAction_SEE_OTHER
	case 307:
		return routev3.RedirectAction_TEMPORARY_REDIRECT
	case 308:
		return routev3.RedirectAction_PERMANENT_REDIRECT
	default:
		return routev3.RedirectAction_FOUND
	}
}

// pathRewrite replaces the whole path, or the prefix of a match. Envoy replaces prefixes as text, which is wrong where either of them is
// "/": an expression handles these cases.
func pathRewrite(match catalog.RouteMatch, edit catalog.PathEdit) (prefix string, regex *matcherv3.RegexMatchAndSubstitute) {
	matched, value := strings.TrimRight(match.Path, "/"), strings.TrimRight(edit.Value, "/")
	switch {
	case !edit.Prefix:
		return "", message.Substitute("^.+$", edit.Value)
	case value == "":
		return "", message.Substitute("^"+regexp.QuoteMeta(matched)+"/*", "/")
	case matched == "":
		return "", message.Substitute("^/*", value+"/")
	default:
		return value, nil
	}
}
