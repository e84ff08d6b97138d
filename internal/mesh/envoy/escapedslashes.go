package envoy

import (
	"slices"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	headertometadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_to_metadata/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	httpfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// Where escaped slashes are decoded, policies match a copy of the path with slashes in their place, and the path itself is forwarded as it was sent.
// Envoy can decode the path only for both. So the copy is a header, which a client cannot set: it is replaced before any route is selected, and
// removed before the request is forwarded.

// pathHeader has the path that policies match, without its query.
const pathHeader = "x-osm-path"

// decodedPath is the key of the path in the metadata of a request.
const decodedPath = "path"

// copyPath replaces the header by the normalized path.
var copyPath = message.Extension("envoy.http.early_header_mutation.header_mutation", &earlyv3.HeaderMutation{
	Mutations: []*mutationv3.HeaderMutation{setHeader(pathHeader, "%PATH(NQ:PATH)%")},
})

// decodePath are the filters that decode the header. The first one replaces text, which only metadata can be the result of. The last one makes Envoy
// select the route again.
var decodePath = []*hcmv3.HttpFilter{
	message.HTTPFilter("envoy.filters.http.header_to_metadata", &headertometadatav3.Config{RequestRules: []*headertometadatav3.Config_Rule{{
		Header: pathHeader, Remove: true,
		OnHeaderPresent: &headertometadatav3.Config_KeyValuePair{
			MetadataNamespace: metadataNamespace, Key: decodedPath,
			RegexValueRewrite: &matcherv3.RegexMatchAndSubstitute{Pattern: message.Expression(authz.Slashes), Substitution: "/"},
		},
	}}}),
	message.HTTPFilter("decoded-path", &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{
		RequestMutations: []*mutationv3.HeaderMutation{setHeader(pathHeader, "%DYNAMIC_METADATA("+metadataNamespace+":"+decodedPath+")%")},
	}}),
	message.HTTPFilter("envoy.filters.http.set_filter_state", &httpfilterstatev3.Config{
		ClearRouteCache: true,
		OnRequestHeaders: []*setfilterstatev3.FilterStateValue{{
			Key: &setfilterstatev3.FilterStateValue_ObjectKey{ObjectKey: "osm.decoded"}, FactoryKey: "envoy.string",
			Value: &setfilterstatev3.FilterStateValue_FormatString{FormatString: message.Text("true")},
		}},
	}),
}

func setHeader(name, value string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: message.SetHeader(name, value)}}
}

// decodeSlashes makes a connection manager decode escaped slashes for its routes and filters. Otherwise it rejects them.
func decodeSlashes(hcm *hcmv3.HttpConnectionManager, decoded bool) {
	if !decoded {
		return
	}
	rds := hcm.GetRds()
	rds.RouteConfigName = decodedRouteName(rds.GetRouteConfigName())
	hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	hcm.EarlyHeaderMutationExtensions = append(hcm.GetEarlyHeaderMutationExtensions(), copyPath)
	hcm.HttpFilters = slices.Concat(decodePath, hcm.GetHttpFilters())
}

// decodedRouteName is the name of a route configuration that matches the header. Routes reach connections that began before a change, whose connection
// manager does not replace the header, so they need another name than routes that match the path: a client could set it.
func decodedRouteName(name string) string { return name + "|decoded" }

// decodedMatch is requestMatch for the decoded path, if it is decoded.
func decodedMatch(m catalog.HTTPMatch, decoded bool) *routev3.RouteMatch {
	if !decoded {
		return requestMatch(m)
	}
	expression := m.PathRegex
	m.PathRegex = ""
	out := requestMatch(m)
	if text, prefix, ok := literal(expression); expression != "" && (!ok || !prefix || text != "") {
		out.Headers = append(out.GetHeaders(), message.Header(pathHeader, regexValue(expression)))
	}
	return out
}

// rejectSlashes rejects the requests of a match that have an escaped slash in their path.
func rejectSlashes(match *routev3.RouteMatch) *routev3.Route {
	match = proto.CloneOf(match)
	match.Headers = append(match.GetHeaders(), hasEscape, message.Header(":path", message.Regex(authz.EscapedSlash)))
	return &routev3.Route{Match: match, Action: directResponse(400, "the Service of this path rejects escaped slashes\n")}
}

// hasEscape selects the few requests for which an expression has to run.
var hasEscape = message.Header(":path", contains("%"))

// hiddenDots rejects requests with dot segments next to escaped slashes.
func hiddenDots() *routev3.Route {
	match := anyRequest()
	match.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(authz.DotSegmentByEscape)}
	match.Headers = []*routev3.HeaderMatcher{hasEscape}
	return &routev3.Route{Match: match, Action: directResponse(400, "a dot segment next to an escaped slash is ambiguous\n")}
}

// hiddenDotsAtServer is hiddenDots without the decisions of filters: for whatever path a policy takes the request, it may be another one for the application.
func hiddenDotsAtServer(filters map[string]*anypb.Any) *routev3.Route {
	route := hiddenDots()
	route.TypedPerFilterConfig = map[string]*anypb.Any{httpRBACFilter: message.Any(&httprbacv3.RBACPerRoute{Rbac: &httprbacv3.RBAC{Rules: withoutRoute}})}
	for _, name := range authorizationFilters {
		if filters[name] == nil {
			route.TypedPerFilterConfig[name] = noAuthorization
		}
	}
	return route
}
