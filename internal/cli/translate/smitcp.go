package translate

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// connectionRoute is a TCPRoute that a TrafficSplit may replace.
type connectionRoute struct {
	*catalog.HTTPRoute
	backends []catalog.SplitBackend
}

// attachConnections finds the TCPRoutes that a TrafficSplit may replace, by their Service. Routes of connections that it cannot replace remain in force
// with it, because they replace it on their ports.
func (t *toSMI) attachConnections() {
	for _, kind := range []entity.Kind{entity.KindTLSRoute, entity.KindGatewayTCPRoute} {
		t.noteRejected(kind)
		for _, r := range entriesOf[*catalog.HTTPRoute](t.loaded, kind) {
			if t.selects(r.Name) {
				t.attachConnection(r)
			}
		}
	}
}

func (t *toSMI) attachConnection(r *catalog.HTTPRoute) {
	services := servicesOf(r)
	switch {
	case len(services) == 0:
		t.note(r.Ref(), Kept, "%s", parentsAreGateways)
	case r.Kind == entity.KindTLSRoute:
		t.note(r.Ref(), Untranslated, "it selects connections by their server names, and SMI has none. %s", replacesSplits)
	case len(services) > 1 || r.HasGateway():
		t.note(r.Ref(), Untranslated, "it has several parents: write a TCPRoute for each Service. %s", replacesSplits)
	case services[0].Namespace != r.Name.Namespace:
		t.note(r.Ref(), Untranslated, "it routes only the connections of clients in its own namespace, and TrafficSplits apply to all clients.")
	default:
		var found obstacles
		backends := t.connectionBackends(r, services[0], &found)
		if found.prevent(false) {
			found.fail(r.Ref(), replacesSplits)
			found.report(t.Result, []entity.Ref{r.Ref()}, false, "")
		} else {
			t.connections[services[0]] = append(t.connections[services[0]], connectionRoute{r, backends})
		}
	}
}

// connectionBackends returns the backends of a TCPRoute that applies alone to ports of a Service. Without it, another route would apply.
func (t *toSMI) connectionBackends(r *catalog.HTTPRoute, name entity.Name, found *obstacles) []catalog.SplitBackend {
	service := t.view.Service(name)
	if service == nil {
		found.fail(r.Ref(), "Its Service %s is not in the input, so its ports are unknown: add it.", name)
		return nil
	}
	var backends []catalog.SplitBackend
	for _, port := range service.Ports {
		if !r.Attaches(name, port) {
			continue
		}
		if len(t.ownRoutes(name, port)) > 1 {
			found.fail(r.Ref(), "It is not the only route of port %d: delete those without an effect.", port.Number)
		}
		if problem := r.Rules[0].Unsupported; problem != "" {
			found.fail(r.Ref(), "Its rule is not supported: %s.", problem)
		}
		backends = t.backendsOf(name, r, &r.Rules[0], port, found)
	}
	if len(backends) == 0 {
		found.fail(r.Ref(), "It has no backends, or no TCP port of Service %s.", name.Name)
	}
	return backends
}

// ownRoutes returns the routes in the namespace of a Service that have one of its ports as their parent.
func (t *toSMI) ownRoutes(service entity.Name, port inventory.Port) []*catalog.HTTPRoute {
	return slices.DeleteFunc(t.view.RoutesOf(service, port), func(r *catalog.HTTPRoute) bool { return r.Name.Namespace != service.Namespace })
}

// rulesOfConnections returns the rules for a Service that has routes of connections only: those of the first one.
func (t *toSMI) rulesOfConnections(service *inventory.Service, found *obstacles) []splitRule {
	rules := []splitRule{{backends: t.connections[service.Name][0].backends}}
	for _, port := range service.Ports {
		if port.Protocol.IsHTTP() && !isSelf(rules, service.Name) {
			found.add(entity.Ref{}, "%s", portWithoutRoute(service, port))
		}
	}
	return rules
}

// replacedConnections returns the TCPRoutes of a Service with the shares of the last rule, and adds a note for the others.
func (t *toSMI) replacedConnections(service entity.Name, rules []splitRule) []entity.Ref {
	var refs []entity.Ref
	for _, r := range t.connections[service] {
		if areSameShares(r.backends, rules[len(rules)-1].backends) {
			refs = append(refs, r.Ref())
		} else {
			t.note(r.Ref(), Untranslated, "its shares differ from those of the other ports of Service %s, and a TrafficSplit applies to all ports. %s", service.Name, replacesSplits)
		}
	}
	return refs
}

// areSameShares reports whether backends have the same proportions.
func areSameShares(a, b []catalog.SplitBackend) bool {
	total := func(list []catalog.SplitBackend) (sum uint64) {
		for _, backend := range list {
			sum += uint64(backend.Weight)
		}
		return sum
	}
	totalA, totalB := total(a), total(b)
	return (totalA == 0) == (totalB == 0) && slices.EqualFunc(a, b, func(x, y catalog.SplitBackend) bool {
		return x.Service == y.Service && uint64(x.Weight)*totalB == uint64(y.Weight)*totalA
	})
}

// Parts of notes about routes that stay.
const (
	parentsAreGateways = "its parents are Gateways, which have no counterpart in SMI."
	replacesSplits     = "It replaces TrafficSplits on its ports, so it can stay."
)

func portWithoutRoute(service *inventory.Service, port inventory.Port) string {
	return fmt.Sprintf("Port %d of Service %s has no route, and a TrafficSplit applies to all ports.", port.Number, service.Name.Name)
}

// unusableBackend says what a route does with the share of a backend with a problem, which a TrafficSplit gives to the others.
func unusableBackend(service entity.Name, problem authz.BackendProblem, port inventory.Port) string {
	answer := "Its share is answered with 500"
	if !port.Protocol.IsHTTP() {
		answer = "The connections of its share are closed"
	}
	return fmt.Sprintf("Its backend %s cannot be used (%s). %s, and a TrafficSplit gives it to the other backends: correct the backend, or remove it.", service, problem, answer)
}
