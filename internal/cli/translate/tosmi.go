package translate

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// toSMI is a translation to TrafficSplits, HTTPRouteGroups and Retries.
type toSMI struct {
	translation
	// connections are TCPRoutes by their Service.
	connections map[entity.Name][]connectionRoute
	// staying are routes that also apply to clients for whom they cannot be translated.
	staying map[entity.Ref]struct{}
}

// splitRule sends the requests of some matches to backends. The first rule that matches a request applies; the last one has no matches.
type splitRule struct {
	matches  []catalog.RouteMatch
	backends []catalog.SplitBackend
}

// serviceRules are the rules for all ports of a Service.
type serviceRules struct {
	rules []splitRule
	retry *retry.Settings
}

// ToSMI translates HTTPRoutes and TCPRoutes whose parents are Services to TrafficSplits, HTTPRouteGroups and Retries.
func ToSMI(l *load.Loaded, o Options) *Result {
	t := &toSMI{newTranslation(l, o), map[entity.Name][]connectionRoute{}, map[entity.Ref]struct{}{}}
	byService := map[entity.Name][]*catalog.HTTPRoute{}
	for _, kind := range []entity.Kind{entity.KindHTTPRoute, entity.KindGRPCRoute} {
		t.noteRejected(kind)
		for _, r := range entriesOf[*catalog.HTTPRoute](l, kind) {
			if o.selects(r.Name) {
				t.attach(r, byService)
			}
		}
	}
	t.attachConnections()
	for service := range t.connections {
		if _, exists := byService[service]; !exists {
			byService[service] = nil
		}
	}
	for _, group := range connected(byService) {
		t.translateServices(group, byService)
	}
	t.merge()
	t.sort()
	return t.Result
}

// attach adds a route to the Services of its namespace, and translates what it says for the clients of its own namespace.
func (t *toSMI) attach(r *catalog.HTTPRoute, byService map[entity.Name][]*catalog.HTTPRoute) {
	services := servicesOf(r)
	if len(services) == 0 {
		t.note(r.Ref(), Kept, "%s", parentsAreGateways)
	}
	for _, service := range services {
		if service.Namespace == r.Name.Namespace {
			byService[service] = append(byService[service], r)
		} else {
			t.translateForClients(r, service)
		}
	}
}

func servicesOf(r *catalog.HTTPRoute) []entity.Name {
	var services []entity.Name
	for _, parent := range r.Parents {
		if parent.Service != (entity.Name{}) {
			services = append(services, parent.Service)
		}
	}
	return lists.UniqueFunc(services, entity.Name.Compare)
}

// connected groups Services that have routes in common. They are translated together or not at all.
func connected(byService map[entity.Name][]*catalog.HTTPRoute) [][]entity.Name {
	var groups [][]entity.Name
	done := map[entity.Name]struct{}{}
	for _, first := range slices.SortedFunc(maps.Keys(byService), entity.Name.Compare) {
		if _, seen := done[first]; seen {
			continue
		}
		group := []entity.Name{first}
		done[first] = struct{}{}
		for i := 0; i < len(group); i++ {
			for _, r := range byService[group[i]] {
				for _, service := range servicesOf(r) {
					if _, seen := done[service]; !seen && byService[service] != nil {
						done[service] = struct{}{}
						group = append(group, service)
					}
				}
			}
		}
		slices.SortFunc(group, entity.Name.Compare)
		groups = append(groups, group)
	}
	return groups
}

// translateServices translates the routes of a group of Services: those that are parents of the same routes, which can only be replaced together.
func (t *toSMI) translateServices(group []entity.Name, byService map[entity.Name][]*catalog.HTTPRoute) {
	found := make([]obstacles, len(group))
	translated := make([]serviceRules, len(group))
	prevented := entity.Name{}
	for i, service := range group {
		translated[i] = t.rulesOf(service, len(byService[service]) > 0, &found[i])
		t.checkStaying(service, byService[service], &found[i])
		if found[i].prevent(t.BestEffort) {
			prevented = service
		}
	}
	for i, service := range group {
		refs := refsOf(byService[service])
		into := ""
		switch {
		case prevented == entity.Name{}:
			refs = append(refs, t.replacedConnections(service, translated[i].rules)...)
			into = t.add(service, translated[i], refs)
		case !found[i].prevent(t.BestEffort):
			found[i].fail(entity.Ref{}, "Service %s, which has a route in common, cannot be translated.", prevented)
		}
		if into == "" {
			refs = append(refs, refsOf(t.connections[service])...)
		}
		found[i].report(t.Result, refs, t.BestEffort, into)
	}
}

// checkStaying requires that all routes of a Service can be deleted: one that stays would get the requests of the others.
func (t *toSMI) checkStaying(service entity.Name, routes []*catalog.HTTPRoute, found *obstacles) {
	for _, r := range routes {
		if _, stays := t.staying[r.Ref()]; stays && len(routes) > 1 {
			found.fail(r.Ref(), "It stays, and would get requests of Service %s that its other routes have now: write a route for each parent.", service)
		}
	}
}

// rulesOf returns the rules for a Service, which has routes of requests or of connections only. A TrafficSplit applies to all its ports, so the routes
// of all HTTP ports must say the same.
func (t *toSMI) rulesOf(name entity.Name, ofRequests bool, found *obstacles) serviceRules {
	service := t.view.Service(name)
	if service == nil {
		found.fail(entity.Ref{}, "Its Service %s is not in the input, so its ports are unknown: add it.", name)
		return serviceRules{}
	}
	t.checkOthers(name, found)
	if !ofRequests {
		rules := t.rulesOfConnections(service, found)
		t.checkTCP(service, rules, found)
		return serviceRules{rules: rules}
	}
	var all []serviceRules
	for _, port := range service.Ports {
		switch {
		case !port.Protocol.IsHTTP():
		case len(t.view.ServiceRoutes(name.Namespace, name, port)) == 0:
			found.add(entity.Ref{}, "%s", portWithoutRoute(service, port))
		default:
			all = append(all, t.rulesOfPort(service, port, found))
			if last := all[len(all)-1]; !reflect.DeepEqual(all[0], last) {
				found.add(entity.Ref{}, "The ports of Service %s have different routes, and a TrafficSplit applies to all ports.", name.Name)
			}
		}
	}
	if len(all) == 0 {
		found.fail(entity.Ref{}, "Service %s has no HTTP port with a route.", name)
		return serviceRules{}
	}
	t.checkTCP(service, all[0].rules, found)
	if all[0].retry != nil {
		t.checkRetries(name, t.clientsOf(name), found)
		t.checkMixedClients(service, found)
	}
	t.checkGroups(name, all[0].rules, found)
	return all[0]
}

// checkGroups reports matches that the mesh does not use in an HTTPRouteGroup.
func (t *toSMI) checkGroups(service entity.Name, rules []splitRule, found *obstacles) {
	for _, rule := range rules {
		_, problems := ingest.HTTPRouteGroup(groupObject(service, rule.matches))
		for _, problem := range problems {
			if !problem.Warning {
				found.fail(entity.Ref{}, "As HTTPRouteGroup: %s", problem.Message)
			}
		}
	}
}

// isSelf reports whether the last rule sends all requests to the Service itself.
func isSelf(rules []splitRule, service entity.Name) bool {
	last := rules[len(rules)-1].backends
	return len(last) == 1 && last[0].Service == service && last[0].Weight > 0
}

// checkOthers reports what else decides about requests to a Service.
func (t *toSMI) checkOthers(name entity.Name, found *obstacles) {
	splits := t.view.MatchingSplits(name)
	if split := t.view.Split(name); split != nil {
		splits = append(splits, split)
	}
	if len(splits) > 0 {
		found.add(entity.Ref{}, "TrafficSplit %s of Service %s is in force again without the route: delete the route if that is what you want, or else the TrafficSplit.", splits[0].Name, name.Name)
	}
	for _, kind := range []entity.Kind{entity.KindHTTPRoute, entity.KindGRPCRoute} {
		for _, r := range entriesOf[*catalog.HTTPRoute](t.loaded, kind) {
			isParent := r.HasParent(name) && r.Name.Namespace == name.Namespace
			switch {
			case r.HasGateway() && isParent:
				found.keep(r.Ref(), "Its Gateways need it: remove its parents of the kind Service instead of deleting it, when you delete the other routes.")
			case r.HasGateway() && sendsTo(r, name):
				found.add(entity.Ref{}, "The %s %s sends requests of Gateways to Service %s. A TrafficSplit would apply to them, and routes of the Service do not.", r.Kind, r.Name, name.Name)
			}
		}
	}
}

// rulesOfPort returns the rules for a port, in the order in which they apply.
func (t *toSMI) rulesOfPort(service *inventory.Service, port inventory.Port, found *obstacles) serviceRules {
	var result serviceRules
	for i, rule := range authz.RouteRules(t.view, service.Name.Namespace, service, port) {
		routed := rule.Routed
		if routed.Rule == nil {
			found.add(entity.Ref{}, "Requests to Service %s that no rule matches get 404, and a TrafficSplit leaves them to the Service: add a rule without matches.", service.Name.Name)
			result.append(splitRule{backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}})
			break
		}
		retry := t.checkRule(routed.Route, routed.Rule, found)
		if i > 0 && !reflect.DeepEqual(retry, result.retry) {
			found.add(routed.Route.Ref(), "Its rules have different retries or timeouts, and a Retry applies to all requests to a Service.")
		}
		result.retry = retry
		one := splitRule{backends: t.backendsOf(service.Name, routed.Route, routed.Rule, port, found)}
		if isCatchAll(*routed.Match) {
			result.append(one)
			break
		}
		if _, err := groupMatch(*routed.Match); err != nil {
			found.add(routed.Route.Ref(), "On port %d: %v.", port.Number, err)
			continue
		}
		one.matches = []catalog.RouteMatch{*routed.Match}
		result.append(one)
	}
	return result
}

// append adds a rule, or its matches to the last rule if the backends are the same.
func (s *serviceRules) append(rule splitRule) {
	last := len(s.rules) - 1
	if last < 0 || !slices.Equal(s.rules[last].backends, rule.backends) {
		s.rules = append(s.rules, rule)
		return
	}
	if len(rule.matches) == 0 {
		s.rules[last].matches = nil
		return
	}
	s.rules[last].matches = append(s.rules[last].matches, rule.matches...)
}

func isCatchAll(m catalog.RouteMatch) bool {
	return isAnyPath(m) && m.Method == "" && len(m.Headers)+len(m.Query) == 0
}

// checkRule reports what a TrafficSplit cannot say, and returns the retries of a rule.
func (t *toSMI) checkRule(r *catalog.HTTPRoute, rule *catalog.HTTPRouteRule, found *obstacles) *retry.Settings {
	ref := r.Ref()
	if rule.Unsupported != "" {
		found.fail(ref, "The mesh answers requests of a rule with 500: %s.", rule.Unsupported)
	}
	if f := rule.Filters; !reflect.DeepEqual(f, catalog.RouteFilters{}) {
		found.add(ref, "A rule has filters, and SMI has none.")
	}
	if rule.Timeout > 0 {
		found.add(ref, "A rule has timeouts.request, and SMI has no timeouts: an UpstreamTrafficSetting can limit all requests to the Service.")
	}
	if len(r.Ignored) > 0 {
		t.noteOnce(ref, Kept, "fields without an effect are left out: "+fmt.Sprint(r.Ignored)+".")
	}
	retry, err := retryOf(rule)
	if err != nil {
		found.add(ref, "Retries: %v.", err)
		return nil
	}
	return retry
}

// backendsOf returns the backends of a rule as those of a TrafficSplit, whose port is that of the Service.
func (t *toSMI) backendsOf(called entity.Name, r *catalog.HTTPRoute, rule *catalog.HTTPRouteRule, port inventory.Port,
	found *obstacles,
) []catalog.SplitBackend {
	weights := map[entity.Name]uint32{}
	total := uint64(0)
	for _, backend := range rule.Backends {
		ref := r.Ref()
		_, problem := authz.ResolveBackend(t.view, called, r, backend)
		switch {
		case problem != "":
			found.add(ref, "%s", unusableBackend(backend.Service, problem, port))
		case backend.Service.Namespace != r.Name.Namespace:
			found.fail(ref, "Its backend %s is in another namespace than the Service, and those of a TrafficSplit cannot be.", backend.Service)
		case backend.Port != port.Number:
			found.add(ref, "Its backend %s has the port %d for requests to port %d, and those of a TrafficSplit have the same port.", backend.Service.Name, backend.Port, port.Number)
		case backend.Filters != nil:
			found.add(ref, "Its backend %s has filters, and SMI has none.", backend.Service.Name)
		}
		weights[backend.Service] += backend.Weight
		total += uint64(backend.Weight)
	}
	if total == 0 {
		found.fail(r.Ref(), "A rule has no backend with a share, and a TrafficSplit needs one.")
	}
	var list []catalog.SplitBackend
	for service, weight := range weights {
		if weight > maxWeight {
			found.fail(r.Ref(), "The weights of its backend %s add up to more than %d, the maximum of a TrafficSplit.", service.Name, maxWeight)
		}
		list = append(list, catalog.SplitBackend{Service: service, Weight: weight})
	}
	slices.SortFunc(list, func(a, b catalog.SplitBackend) int { return a.Service.Compare(b.Service) })
	return list
}

// merge joins the notes about each route for several Services.
func (t *toSMI) merge() {
	rank := []Outcome{Translated, Approximate, Partial, Untranslated}
	var merged []Note
	for _, note := range t.Notes {
		i := slices.IndexFunc(merged, func(n Note) bool { return n.Object == note.Object && slices.Contains(rank, n.Outcome) })
		if i < 0 || !slices.Contains(rank, note.Outcome) {
			merged = append(merged, note)
			continue
		}
		first := &merged[i]
		first.Text += " " + note.Text
		switch {
		case first.Outcome == note.Outcome:
		case first.Outcome == Untranslated || note.Outcome == Untranslated:
			first.Outcome = Partial
		default:
			first.Outcome = rank[max(slices.Index(rank, first.Outcome), slices.Index(rank, note.Outcome))]
		}
	}
	slices.SortStableFunc(merged, func(a, b Note) int { return a.Object.Compare(b.Object) })
	t.Notes = merged
}
