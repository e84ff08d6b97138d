package envoy

import (
	"regexp"
	"slices"
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Many applications receive the names of headers as variables, in which "_" and "-" are the same. A client could send x_user next to the x-user that a policy
// reads, and the application could read that one. So requests lose the other spellings of each name that a policy or the mesh reads or sets. All other
// names with underscores pass.

// spellingFilter removes headers after policies have matched the request. Virtual hosts have the names that their policies read.
const spellingFilter = "envoy.filters.http.header_mutation"

// meshSpellings are the other spellings of headers that sidecars read or set, and of those that frame a request.
var meshSpellings = slices.Concat(
	[]*mutationv3.HeaderMutation{removeMatching(`x_(?:forwarded|envoy|osm)[-_].*|x[-_](?:forwarded|envoy|osm)(?:_.*|-.*_.*)`)},
	otherSpellings("x-request-id"), otherSpellings("content-length"), otherSpellings("transfer-encoding"),
)

// removeSpellings is the filter. The Envoy of Open Service Mesh does not have it, and rejects all names with underscores.
func removeSpellings(s *translation) []*hcmv3.HttpFilter {
	if s.Key.Class.OSM {
		return nil
	}
	return []*hcmv3.HttpFilter{standardSpellings}
}

var standardSpellings = message.HTTPFilter(spellingFilter, &headermutationv3.HeaderMutation{
	Mutations: &headermutationv3.Mutations{RequestMutations: meshSpellings},
})

// underscores is what a server does with names that have underscores.
func underscores(s *translation) corev3.HttpProtocolOptions_HeadersWithUnderscoresAction {
	if s.Key.Class.OSM {
		return corev3.HttpProtocolOptions_REJECT_REQUEST
	}
	return corev3.HttpProtocolOptions_ALLOW
}

// protectNames removes the other spellings of the names that a virtual host reads or sets, and of the headers that authorization servers set. A
// server of gRPC may set any header, so all names with underscores are removed then.
func protectNames(s *translation, host *routev3.VirtualHost, decided bool) {
	if s.Key.Class.OSM {
		return
	}
	var mutations []*mutationv3.HeaderMutation
	names := namesOfHost(host)
	if decided {
		set, unknown := s.authorizedNames()
		if unknown {
			mutations = append(mutations, removeMatching(`.*_.*`))
		}
		names = append(names, set...)
	}
	mutations = append(mutations, lists.FlatMap(distinctNames(names), otherSpellings)...)
	if len(mutations) == 0 {
		return
	}
	if host.TypedPerFilterConfig == nil {
		host.TypedPerFilterConfig = map[string]*anypb.Any{}
	}
	host.TypedPerFilterConfig[spellingFilter] = message.Any(&headermutationv3.HeaderMutationPerRoute{
		Mutations: &headermutationv3.Mutations{RequestMutations: mutations},
	})
}

// authorizedNames are the headers that authorization servers set, and whether one of the servers may set any.
func (s *translation) authorizedNames() (names []string, unknown bool) {
	unknown = s.ExternalAuthorization != nil
	for _, a := range s.Authorizations {
		if a.Service != nil && a.Service.HTTP1 {
			names = append(names, a.Policy.ResponseHeaders...)
		} else {
			unknown = true
		}
	}
	return names, unknown
}

// namesOfHost are the names of the request headers that the routes of a virtual host read, set or remove.
func namesOfHost(host *routev3.VirtualHost) []string {
	names := append(editedNames(host), limitedNames(host.GetRateLimits())...)
	for _, route := range host.GetRoutes() {
		names = append(names, lists.Map(route.GetMatch().GetHeaders(), (*routev3.HeaderMatcher).GetName)...)
		names = append(names, editedNames(route)...)
		names = append(names, limitedNames(route.GetRoute().GetRateLimits())...)
		for _, cluster := range route.GetRoute().GetWeightedClusters().GetClusters() {
			names = append(names, editedNames(cluster)...)
		}
	}
	return names
}

// editor is a part of a route configuration that changes the headers of requests.
type editor interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
}

func editedNames(e editor) []string {
	added := lists.Map(e.GetRequestHeadersToAdd(), func(h *corev3.HeaderValueOption) string { return h.GetHeader().GetKey() })
	return slices.Concat(e.GetRequestHeadersToRemove(), added)
}

// limitedNames are the headers whose values are counted by a rate limit service.
func limitedNames(limits []*routev3.RateLimit) []string {
	var names []string
	for _, limit := range limits {
		for _, action := range limit.GetActions() {
			if h := action.GetRequestHeaders(); h != nil {
				names = append(names, h.GetHeaderName())
			}
		}
	}
	return names
}

// distinctNames are names in lower case, sorted. Names that differ in their separators only are left out: policies read each of them.
func distinctNames(names []string) []string {
	bySpelling := map[string][]string{}
	for _, name := range names {
		name = strings.ToLower(name)
		plain := strings.ReplaceAll(name, "_", "-")
		if !strings.HasPrefix(name, ":") && name != pathHeader && !slices.Contains(bySpelling[plain], name) {
			bySpelling[plain] = append(bySpelling[plain], name)
		}
	}
	var out []string
	for _, spellings := range bySpelling {
		if len(spellings) == 1 {
			out = append(out, spellings[0])
		}
	}
	slices.Sort(out)
	return out
}

// maxNamed is how many separators a name has at most whose other spellings are removed by name: 7 for 3 separators. A look-up by name costs a request less
// than an expression, which Envoy compares with the name of each header.
const maxNamed = 3

// otherSpellings remove the headers whose names differ from a name in "-" and "_" only.
func otherSpellings(name string) []*mutationv3.HeaderMutation {
	parts, places := separator.Split(name, -1), separator.FindAllString(name, -1)
	if len(places) > maxNamed {
		return spellingExpressions(parts, places)
	}
	spellings := []string{parts[0]}
	for _, part := range parts[1:] {
		spellings = lists.FlatMap(spellings, func(begun string) []string { return []string{begun + "-" + part, begun + "_" + part} })
	}
	others := slices.DeleteFunc(spellings, func(spelling string) bool { return spelling == name })
	return lists.Map(others, func(other string) *mutationv3.HeaderMutation {
		return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: other}}
	})
}

// spellingExpressions are mutations that stand for the names that differ at one place at least, so that no expression is long.
func spellingExpressions(parts, places []string) []*mutationv3.HeaderMutation {
	parts = lists.Map(parts, regexp.QuoteMeta)
	out := make([]*mutationv3.HeaderMutation, len(places))
	for i, place := range places {
		other := map[string]string{"-": "_", "_": "-"}[place]
		out[i] = removeMatching(strings.Join(parts[:i+1], "[-_]") + other + strings.Join(parts[i+1:], "[-_]"))
	}
	return out
}

var separator = regexp.MustCompile("[-_]")

// removeMatching removes the headers whose whole names match an expression.
func removeMatching(expression string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
		KeyMatcher: message.Regex(expression),
	}}}
}
