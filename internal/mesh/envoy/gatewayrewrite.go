package envoy

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// rewriteRequest changes the host and path of a forwarded request.
func rewriteRequest(action *routev3.RouteAction, r *scope.GatewayRoute) {
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

// gatewayRedirect answers with another address. Without a scheme and a port, the port of the listener stays.
func gatewayRedirect(l *scope.GatewayListener, r *scope.GatewayRoute) *routev3.RedirectAction {
	redirect := r.Filters.Redirect
	out := &routev3.RedirectAction{HostRedirect: redirect.Hostname, PortRedirect: uint32(redirect.Port), ResponseCode: redirectCode(redirect.Status)}
	if redirect.Scheme != "" {
		out.SchemeRewriteSpecifier = &routev3.RedirectAction_SchemeRedirect{SchemeRedirect: redirect.Scheme}
	} else if redirect.Hostname != "" && redirect.Port == 0 && l.Port != 80 && l.Port != 443 {
		out.PortRedirect = uint32(l.Port)
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
		return "", substitute("^.+$", edit.Value)
	case value == "":
		return "", substitute("^"+regexp.QuoteMeta(matched)+"/*", "/")
	case matched == "":
		return "", substitute("^/*", value+"/")
	default:
		return value, nil
	}
}

func substitute(regex, with string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{Pattern: regexMatcher(regex), Substitution: strings.ReplaceAll(with, `\`, `\\`)}
}
