package verdict

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// withFewRoutes returns a state in which TrafficSplits apply, and in which all clients of a namespace often have the same Retry.
func withFewRoutes(t *rapid.T, w State) State {
	w = maps.Clone(w)
	for _, ref := range slices.SortedFunc(maps.Keys(w), compareRefs) {
		switch e := w[ref].(type) {
		case *catalog.HTTPRoute:
			if !oneIn(t, 4, "keep route") {
				delete(w, ref)
			}
		case *retry.Policy:
			delete(w, ref)
			if e.Source.Namespace == e.Name.Namespace {
				w[ref] = e
			}
		case *catalog.TrafficSplit:
			w[ref] = completeSplit(w, e)
		}
	}
	addSameRetries(t, w)
	if oneIn(t, 2, "several splits of one Service") {
		splitByRequest(t, w)
	}
	return w
}

// splitByRequest makes the TrafficSplits of a namespace divide the requests to one Service, which all clients may send.
func splitByRequest(t *rapid.T, w State) {
	openServices(t, w)
	for i, group := range []string{"g1", "g2", ""} {
		split := &catalog.TrafficSplit{
			Name: Name("a", fmt.Sprintf("split%d", i+1)), Root: services[0].name, Created: time.Unix(int64(below(t, 2, "created")), 0),
			Backends: []catalog.SplitBackend{{Service: services[i].name, Weight: 1}},
		}
		if group != "" {
			split.Matches = []string{group}
			g := drawGroup(t, Name("a", group)).(*catalog.HTTPRouteGroup)
			for k := range g.Matches {
				if k > 0 && oneIn(t, 2, "any path") {
					g.Matches[k].PathRegex = ""
				}
			}
			w[g.Ref()] = g
		}
		w[split.Ref()] = split
	}
}

// openServices adds Services with one HTTP port that all clients may call.
func openServices(t *rapid.T, w State) {
	settings := *w[entity.Ref{Kind: entity.KindSettings}].(*catalog.Settings)
	settings.Permissive = true
	w[settings.Ref()] = &settings
	for i := range 3 {
		s := drawService(t, i).(*inventory.Service)
		s.Ports = []inventory.Port{{Name: "p80", Number: 80, TargetPort: webPort, Protocol: inventory.ProtocolHTTP}}
		w[s.Ref()] = s
	}
}

// routeByRequest replaces all routes by one with several rules for requests to one Service, which all clients may send.
func routeByRequest(t *rapid.T, w State) {
	openServices(t, w)
	for _, ref := range slices.SortedFunc(maps.Keys(w), compareRefs) {
		switch w[ref].(type) {
		case *catalog.HTTPRoute, *catalog.TrafficSplit:
			delete(w, ref)
		}
	}
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: Name("a", "h1"), Parents: []catalog.RouteParent{{Service: services[0].name}}}
	for range 2 + below(t, 4, "rules") {
		rule := catalog.HTTPRouteRule{Backends: []catalog.RouteBackend{{Service: services[below(t, 3, "backend")].name, Port: 80, Weight: 1}}}
		for range 1 + below(t, 2, "matches") {
			match := drawRouteMatch(t)
			match.Query = nil
			rule.Matches = append(rule.Matches, match)
		}
		route.Rules = append(route.Rules, rule)
	}
	last := catalog.HTTPRouteRule{Backends: []catalog.RouteBackend{{Service: services[below(t, 3, "last backend")].name, Port: 80, Weight: 1}}}
	last.Matches = []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}
	route.Rules = append(route.Rules, last)
	w[route.Ref()] = route
}

// routeConnections gives some Services a TCP port, and one of them TCPRoutes, often with the backends for requests that no match selects.
func routeConnections(t *rapid.T, w State) {
	openServices(t, w)
	portless := oneIn(t, 3, "no HTTP port")
	for i := range 3 {
		s := *w[entity.Ref{Kind: entity.KindService, Name: services[i].name}].(*inventory.Service)
		s.Ports = append(slices.Clone(s.Ports), inventory.Port{Name: "p81", Number: 81, TargetPort: echoPort, Protocol: inventory.ProtocolTCP, TLS: true})
		if portless {
			s.Ports = s.Ports[1:]
		}
		w[s.Ref()] = &s
	}
	if !oneIn(t, 4, "keep other routes") {
		maps.DeleteFunc(w, func(_ entity.Ref, e catalog.Entry) bool {
			route, ok := e.(*catalog.HTTPRoute)
			return ok && route.Kind.RoutesConnections()
		})
	}
	backends := []catalog.RouteBackend{{Service: services[below(t, 3, "backend")].name, Weight: 2}, {Service: Name("a", "none"), Weight: 1}}[:1+below(t, 6, "missing")/5]
	if route, ok := w[entity.Ref{Kind: entity.KindHTTPRoute, Name: Name("a", "h1")}].(*catalog.HTTPRoute); ok && oneIn(t, 2, "same backends") {
		backends = slices.Clone(route.Rules[len(route.Rules)-1].Backends)
	}
	for i := range backends {
		backends[i].Port, backends[i].Filters = 81, nil
	}
	for _, name := range []string{"c1", "c2"}[:1+below(t, 4, "several")/3] {
		route := drawConnectionRoute(t, entity.KindGatewayTCPRoute, Name("a", name)).(*catalog.HTTPRoute)
		route.Parents = []catalog.RouteParent{{Service: services[0].name, Port: 81}}
		route.Rules[0].Backends = backends
		w[route.Ref()] = route
		backends = []catalog.RouteBackend{{Service: services[below(t, 3, "other backend")].name, Port: 81, Weight: 1}}
	}
}

// completeSplit returns a TrafficSplit without references to what does not exist.
func completeSplit(w State, split *catalog.TrafficSplit) *catalog.TrafficSplit {
	s := *split
	s.Matches = slices.DeleteFunc(slices.Clone(s.Matches), func(name string) bool {
		return len(s.Matches) > 1 && w[entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: entity.Name{Namespace: s.Name.Namespace, Name: name}}] == nil
	})
	s.Backends = slices.DeleteFunc(slices.Clone(s.Backends), func(b catalog.SplitBackend) bool {
		return len(s.Backends) > 1 && w[entity.Ref{Kind: entity.KindService, Name: b.Service}] == nil
	})
	return &s
}

// addSameRetries adds a Retry of each client, of one namespace or of all, for one Service.
func addSameRetries(t *rapid.T, w State) {
	if oneIn(t, 2, "without more retries") {
		return
	}
	first := drawRetry(t, entity.Name{}).(*retry.Policy)
	namespace := oneOf([]string{"", "a", "b"}).Draw(t, "namespace of clients")
	for i, account := range accounts {
		if namespace == "" || namespace == account.Namespace {
			r := *first
			r.Name, r.Source = entity.Name{Namespace: account.Namespace, Name: fmt.Sprintf("all-%d", i)}, account
			w[r.Ref()] = &r
		}
	}
}

// withPlainRoutes returns a state whose HTTPRoutes have no filters, and usually end with a rule for all requests, to backends with the port of the
// Service.
func withPlainRoutes(t *rapid.T, w State) State {
	w = maps.Clone(w)
	for _, ref := range slices.SortedFunc(maps.Keys(w), compareRefs) {
		switch e := w[ref].(type) {
		case *catalog.TrafficSplit, *retry.Policy:
			if !oneIn(t, 8, "keep policy of SMI") {
				delete(w, ref)
			}
		case *catalog.HTTPRoute:
			if !e.Kind.RoutesConnections() {
				w[ref] = plainRoute(t, w, e)
			}
		}
	}
	if oneIn(t, 2, "several rules for one Service") {
		routeByRequest(t, w)
	}
	if oneIn(t, 2, "routes of connections") {
		routeConnections(t, w)
	}
	return w
}

func plainRoute(t *rapid.T, w State, route *catalog.HTTPRoute) *catalog.HTTPRoute {
	r := *route
	r.Rules = slices.Clone(r.Rules)
	r.Parents = slices.Clone(r.Parents)
	for i := range r.Parents {
		r.Parents[i].Port = 0
	}
	port := uint16(80)
	if service, ok := w[entity.Ref{Kind: entity.KindService, Name: r.Parents[0].Service}].(*inventory.Service); ok {
		clone := *service
		clone.Ports = slices.DeleteFunc(slices.Clone(service.Ports), func(p inventory.Port) bool { return p.Protocol != inventory.ProtocolHTTP })[:min(1, len(service.Ports))]
		if len(clone.Ports) > 0 && clone.Ports[0].Protocol == inventory.ProtocolHTTP {
			port = clone.Ports[0].Number
			clone.Ports = clone.Ports[:1]
			w[clone.Ref()] = &clone
		}
	}
	last := drawRule(t, r.Name.Namespace)
	last.Matches = []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}
	r.Rules = append(r.Rules, last)
	repeat := r.Rules[0].Repeat
	for i := range r.Rules {
		rule := &r.Rules[i]
		rule.Filters = catalog.RouteFilters{}
		rule.Repeat = repeat
		for k := range rule.Matches {
			rule.Matches[k].Query = nil
		}
		rule.Backends = slices.Clone(rule.Backends)
		for k := range rule.Backends {
			rule.Backends[k].Port, rule.Backends[k].Filters = port, nil
		}
		if repeat != nil {
			rule.Repeat = &catalog.RouteRetry{Attempts: repeat.Attempts, Backoff: repeat.Backoff, Codes: oneOf([][]uint32{nil, {502, 503, 504}, {503}}).Draw(t, "codes")}
		}
		if len(rule.Backends) == 0 || oneIn(t, 3, "to the Service itself") {
			rule.Backends = []catalog.RouteBackend{{Service: r.Parents[0].Service, Port: port, Weight: 1}}
		}
	}
	return &r
}
