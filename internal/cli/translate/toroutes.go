package translate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// toRoutes is a translation to HTTPRoutes and TCPRoutes.
type toRoutes struct {
	translation
	// routes are the new ones by the port of their Service.
	routes map[servicePort][]*route
}

// servicePort is a port of a Service.
type servicePort struct {
	service entity.Name
	port    uint16
}

// route is an HTTPRoute for a port of a Service, or a TCPRoute for a port without HTTP.
type route struct {
	entity.Ref
	to    servicePort
	rules []routeRule
	from  []entity.Ref
	retry *retry.Settings
}

// routeRule sends requests to backends.
type routeRule struct {
	matches  []catalog.RouteMatch
	backends []catalog.RouteBackend
	split    *catalog.TrafficSplit
}

// ToRoutes translates TrafficSplits and Retries to HTTPRoutes, and TrafficSplits for ports without HTTP to TCPRoutes.
func ToRoutes(l *load.Loaded, o Options) *Result {
	t := &toRoutes{newTranslation(l, o), map[servicePort][]*route{}}
	for _, kind := range []entity.Kind{entity.KindTrafficSplit, retry.Kind} {
		t.noteRejected(kind)
	}
	byRoot := map[entity.Name][]*catalog.TrafficSplit{}
	for _, split := range entriesOf[*catalog.TrafficSplit](l, entity.KindTrafficSplit) {
		if o.selects(split.Name) {
			byRoot[split.Root] = append(byRoot[split.Root], split)
		}
	}
	for _, root := range slices.SortedFunc(maps.Keys(byRoot), entity.Name.Compare) {
		t.translateSplits(root, byRoot[root])
	}
	t.translateRetries()
	t.noteAccess(byRoot)
	for _, port := range slices.SortedFunc(maps.Keys(t.routes), func(a, b servicePort) int {
		return cmp.Or(a.service.Compare(b.service), cmp.Compare(a.port, b.port))
	}) {
		for _, r := range t.routes[port] {
			t.Objects = append(t.Objects, Object{r.object(), r.from})
		}
	}
	t.sort()
	return t.Result
}

// translateSplits translates all TrafficSplits of a Service.
func (t *toRoutes) translateSplits(root entity.Name, splits []*catalog.TrafficSplit) {
	inForce := t.inForce(root, splits)
	if len(inForce) == 0 {
		return
	}
	refs := refsOf(inForce)
	service := t.view.Service(root)
	switch {
	case !t.view.InMesh(root.Namespace):
		for _, ref := range refs {
			t.note(ref, Idle, "namespace %s is not part of the mesh.", root.Namespace)
		}
		return
	case service == nil:
		for _, ref := range refs {
			t.note(ref, Untranslated, "its Service %s is not in the input, so its ports are unknown: add it, for example with the output of `kubectl get service -n %s %s -o yaml`.", root.Name, root.Namespace, root.Name)
		}
		return
	}
	if !slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return p.Protocol.IsHTTP() }) {
		inForce = t.withoutMatches(inForce)
		refs = refsOf(inForce)
	}
	var found obstacles
	var routes []*route
	for _, port := range service.Ports {
		if r := t.routeOf(service, port, &found); r != nil {
			r.from = refs
			routes = append(routes, r)
		}
	}
	t.keepForGateways(root, &found)
	if len(routes) == 0 && !found.prevent(t.BestEffort) {
		t.noteWithoutRoutes(refs, found)
		return
	}
	var into []entity.Ref
	if !found.prevent(t.BestEffort) {
		for _, r := range routes {
			t.routes[r.to] = append(t.routes[r.to], r)
			into = append(into, r.Ref)
		}
	}
	found.report(t.Result, refs, t.BestEffort, joinRefs(into)+".")
}

// noteWithoutRoutes adds notes where all ports stay as they are.
func (t *toRoutes) noteWithoutRoutes(refs []entity.Ref, found obstacles) {
	for _, ref := range refs {
		text, _ := found.textsFor(ref)
		switch {
		case text == "":
			t.note(ref, Idle, "its Service has no ports. Delete it.")
		case found.onlyReplaced(ref):
			t.note(ref, Idle, "%s Delete it.", text)
		default:
			t.note(ref, Untranslated, "%s", text)
		}
	}
}

// inForce returns the TrafficSplits of a Service that apply to requests, and adds a note for the others.
func (t *toRoutes) inForce(root entity.Name, splits []*catalog.TrafficSplit) []*catalog.TrafficSplit {
	last := t.view.Split(root)
	return slices.DeleteFunc(slices.Clone(splits), func(split *catalog.TrafficSplit) bool {
		idle := len(split.Matches) == 0 && last != nil && split.Name != last.Name
		if idle {
			t.note(split.Ref(), Idle, "TrafficSplit %s of the same Service is older. Delete it.", last.Name)
		}
		return idle
	})
}

// routeOf returns the route for a port; nil if a route exists already, or if no TrafficSplit applies to the port.
func (t *toRoutes) routeOf(service *inventory.Service, port inventory.Port, found *obstacles) *route {
	replaced := entity.Ref{}
	if !port.Protocol.IsHTTP() {
		split := t.view.Split(service.Name)
		if split == nil {
			return nil
		}
		replaced = split.Ref()
	}
	if existing := t.view.ServiceRoutes(service.Name.Namespace, service.Name, port); len(existing) > 0 {
		found.replaced(replaced, "On port %d the %s %s already replaces it.", port.Number, existing[0].Kind.APIName(), existing[0].Name)
		return nil
	}
	if !port.Protocol.IsHTTP() {
		return t.tcpRouteOf(service, port, found)
	}
	return t.httpRouteOf(service, port, found)
}

// httpRouteOf returns the route for an HTTP port.
func (t *toRoutes) httpRouteOf(service *inventory.Service, port inventory.Port, found *obstacles) *route {
	var rules []routeRule
	for _, split := range t.view.MatchingSplits(service.Name) {
		matches := t.matchesOf(split, found)
		if len(matches) == 0 {
			found.add(split.Ref(), "Its HTTPRouteGroups match no request, so it would be left out: correct them, or delete the TrafficSplit.")
			continue
		}
		rules = append(rules, routeRule{matches: matches, backends: t.backendsOf(split, port, found), split: split})
	}
	last := routeRule{matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: anyPath}}}
	if split := t.view.Split(service.Name); split != nil {
		last.split, last.backends = split, t.backendsOf(split, port, found)
	} else {
		last.backends = []catalog.RouteBackend{{Service: service.Name, Port: port.Number, Weight: 1}}
	}
	rules = append(rules, last)
	ordered, err := inOrder(rules)
	if err != nil {
		found.add(entity.Ref{}, "On port %d: %v.", port.Number, err)
	}
	if len(ordered) > maxRules {
		found.fail(entity.Ref{}, "An HTTPRoute can have %d rules, and it needs more.", maxRules)
	}
	return t.newRoute(entity.KindHTTPRoute, service.Name.Namespace, service, port, ordered)
}

// newRoute returns a route of a namespace for a port, with a name that no other has.
func (t *toRoutes) newRoute(kind entity.Kind, namespace string, service *inventory.Service, port inventory.Port, rules []routeRule) *route {
	base := entity.Name{Namespace: namespace, Name: fmt.Sprintf("%s-%d", service.Name.Name, port.Number)}
	return &route{Ref: t.free(kind, base), to: servicePort{service.Name, port.Number}, rules: rules}
}

// inOrder returns rules that select the same backends when the most specific match applies.
func inOrder(rules []routeRule) ([]routeRule, error) {
	var list []prioritized
	for i, rule := range rules {
		for _, match := range rule.matches {
			list = append(list, prioritized{i, match})
		}
	}
	list, err := orderedMatches(list)
	var ordered []routeRule
	before := -1
	for _, p := range list {
		if last := len(ordered) - 1; p.rule != before || len(ordered[last].matches) == maxMatchesOfRule {
			ordered = append(ordered, routeRule{backends: rules[p.rule].backends, split: rules[p.rule].split})
			before = p.rule
		}
		last := &ordered[len(ordered)-1]
		last.matches = append(last.matches, p.match)
	}
	return ordered, err
}

// matchesOf returns the matches of a TrafficSplit.
func (t *toRoutes) matchesOf(split *catalog.TrafficSplit, found *obstacles) []catalog.RouteMatch {
	var list []catalog.RouteMatch
	for _, name := range split.Matches {
		group := t.view.HTTPRouteGroup(entity.Name{Namespace: split.Name.Namespace, Name: name})
		if group == nil {
			found.add(split.Ref(), "Its HTTPRouteGroup %s is not in the input: add it, or remove the reference.", name)
			continue
		}
		for _, finding := range t.loaded.Findings {
			if finding.Kind == entity.KindHTTPRouteGroup && finding.Name == group.Name && !finding.Warning {
				t.noteOnce(group.Ref(), Kept, "the mesh does not use a part of it, and neither do the routes: "+finding.Message)
			}
		}
		for _, match := range group.Matches {
			converted, err := routeMatches(match)
			if err != nil {
				found.add(split.Ref(), "The match %s of its HTTPRouteGroup %s: %v.", match.Name, name, err)
			}
			list = append(list, converted...)
		}
	}
	return list
}

// backendsOf returns the backends of a TrafficSplit on a port. Those without the port have no share, as in the TrafficSplit.
func (t *toRoutes) backendsOf(split *catalog.TrafficSplit, port inventory.Port, found *obstacles) []catalog.RouteBackend {
	var list []catalog.RouteBackend
	total := uint64(0)
	for _, backend := range split.Backends {
		service := t.view.Service(backend.Service)
		if service == nil {
			found.add(split.Ref(), "Its backend %s is not a Service in the input, and a route %s: add the Service, or remove the backend.", backend.Service.Name, unusableShare(port))
			continue
		}
		if slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return p.Number == port.Number }) {
			list = append(list, catalog.RouteBackend{Service: backend.Service, Port: port.Number, Weight: backend.Weight})
			total += uint64(backend.Weight)
		}
	}
	if total == 0 && port.Protocol.IsHTTP() {
		found.add(split.Ref(), "On port %d no backend has a share. Its requests are answered with 503, and a route answers them with 500: give a backend with this port a weight.", port.Number)
	}
	if len(list) > maxBackends {
		found.fail(split.Ref(), "A rule of a route can have %d backends, and it has %d.", maxBackends, len(list))
	}
	if !reduceWeights(list) {
		found.fail(split.Ref(), "A weight in a route can be at most %d: use smaller weights.", maxWeight)
	}
	return list
}

// reduceWeights divides weights that are too large by their common divisor.
func reduceWeights(list []catalog.RouteBackend) bool {
	divisor, largest := uint32(0), uint32(0)
	for _, backend := range list {
		largest = max(largest, backend.Weight)
		for a, b := divisor, backend.Weight; ; a, b = b, a%b {
			if b == 0 {
				divisor = a
				break
			}
		}
	}
	if largest <= maxWeight {
		return true
	}
	for i := range list {
		list[i].Weight /= divisor
	}
	return largest/divisor <= maxWeight
}

// noteAccess says what becomes of HTTPRouteGroups of translated TrafficSplits.
func (t *toRoutes) noteAccess(byRoot map[entity.Name][]*catalog.TrafficSplit) {
	used := map[entity.Ref]struct{}{}
	for _, splits := range byRoot {
		for _, split := range splits {
			for _, group := range split.Matches {
				used[entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: entity.Name{Namespace: split.Name.Namespace, Name: group}}] = struct{}{}
			}
		}
	}
	for _, target := range entriesOf[*catalog.TrafficTarget](t.loaded, entity.KindTrafficTarget) {
		for _, rule := range target.Rules {
			ref := entity.Ref{Kind: rule.Kind, Name: entity.Name{Namespace: target.Name.Namespace, Name: rule.Name}}
			if _, exists := used[ref]; exists {
				t.note(ref, Kept, "TrafficTarget %s uses it to authorize requests.", target.Name)
				delete(used, ref)
			}
		}
	}
}
