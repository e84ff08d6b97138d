package translate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// retryOf returns the retries of a rule; nil if it has none of its own.
func retryOf(rule *catalog.HTTPRouteRule) (*retry.Settings, error) {
	if rule.TryTimeout > 0 && rule.TryTimeout < ingest.MinTimeout {
		return nil, fmt.Errorf("timeouts.backendRequest is %s, and a Retry has at least %s", rule.TryTimeout, ingest.MinTimeout)
	}
	switch {
	case rule.Repeat == nil && rule.TryTimeout == 0:
		return nil, nil
	case rule.Repeat == nil:
		return &retry.Settings{On: retry.DefaultConditions, Count: retry.DefaultCount, PerTryTimeout: rule.TryTimeout}, nil
	}
	switch {
	case rule.Repeat.Never && rule.TryTimeout > 0:
		return nil, errors.New("attempts is 0, and a Retry without retries has no timeout of attempts")
	case rule.Repeat.Never:
		// A Retry with 0 retries leaves the default in force, as the route does.
		return &retry.Settings{}, nil
	}
	policy := &retry.Settings{
		Count: cmp.Or(rule.Repeat.Attempts, retry.DefaultCount), PerTryTimeout: rule.TryTimeout,
		BackoffBase: rule.Repeat.Backoff,
	}
	if policy.Count > retry.MaxCount {
		return nil, fmt.Errorf("attempts is %d, and a Retry has at most %d", policy.Count, retry.MaxCount)
	}
	var err error
	policy.On, err = retryConditions(rule.Repeat.Codes)
	return policy, err
}

// clientsOf returns the clients to which the routes in the namespace of a Service apply.
func (t *toSMI) clientsOf(service entity.Name) []identity.ServiceAccount {
	return slices.DeleteFunc(t.accounts(), func(account identity.ServiceAccount) bool {
		return t.hasOwnRoutes(account.Namespace, service)
	})
}

// hasOwnRoutes reports whether clients of a namespace have routes of their own for requests to a Service.
func (t *toSMI) hasOwnRoutes(namespace string, service entity.Name) bool {
	s := t.view.Service(service)
	return s != nil && slices.ContainsFunc(s.Ports, func(port inventory.Port) bool {
		return port.Protocol.IsHTTP() && slices.ContainsFunc(t.view.ServiceRoutes(namespace, service, port),
			func(r *catalog.HTTPRoute) bool { return r.Name.Namespace != service.Namespace })
	})
}

// checkRetries reports what prevents Retries of some clients for a Service.
func (t *toSMI) checkRetries(service entity.Name, clients []identity.ServiceAccount, found *obstacles) {
	if len(clients) == 0 {
		found.fail(entity.Ref{}, "A Retry names its client, and no pods of clients are in the input: translate from the cluster, or add the workloads.")
	}
	for _, client := range clients {
		if existing := retry.InForce(t.view, client, service); existing != nil {
			found.fail(entity.Ref{}, "Retry %s of the same client is older than the new one would be: delete it first.", existing.Name)
		}
	}
	if !t.hasRetries() {
		found.keep(entity.Ref{}, "The Retries have an effect once spec.featureFlags.enableRetryPolicy of the MeshConfig is true: set it before you delete the route.")
	}
}

// checkMixedClients reports clients that have routes of their own for some of the ports only.
func (t *toSMI) checkMixedClients(service *inventory.Service, found *obstacles) {
	for _, account := range t.accounts() {
		for _, port := range service.Ports {
			routes := t.view.ServiceRoutes(account.Namespace, service.Name, port)
			if port.Protocol.IsHTTP() && len(routes) > 0 && routes[0].Name.Namespace == service.Name.Namespace &&
				t.hasOwnRoutes(account.Namespace, service.Name) {
				found.fail(entity.Ref{}, "The clients in namespace %s have routes of their own for other ports, and a Retry applies to all ports.", account.Namespace)
			}
		}
	}
}

// translateForClients translates a route for the clients of its own namespace. SMI has only retries for some clients.
func (t *toSMI) translateForClients(r *catalog.HTTPRoute, name entity.Name) {
	var found obstacles
	service := t.view.Service(name)
	var clients []identity.ServiceAccount
	var policy *retry.Settings
	if service == nil {
		found.fail(r.Ref(), "Its Service %s is not in the input, so its ports are unknown: add it.", name)
	} else if len(servicesOf(r)) > 1 || len(r.Rules) == 0 {
		found.fail(r.Ref(), "It has no rules or several Services as parents, and applies only to the clients in its namespace. TrafficSplits apply to all clients.")
	} else {
		policy = t.clientPolicy(r, service, &found)
		clients = slices.DeleteFunc(t.accounts(), func(a identity.ServiceAccount) bool { return a.Namespace != r.Name.Namespace })
		if policy != nil {
			t.checkRetries(name, clients, &found)
		}
	}
	if found.prevent(false) {
		t.staying[r.Ref()] = struct{}{}
		found.report(t.Result, []entity.Ref{r.Ref()}, false, "")
		return
	}
	first := len(t.Objects)
	t.addRetries(clients, name, policy, []entity.Ref{r.Ref()})
	found.report(t.Result, []entity.Ref{r.Ref()}, false, describeObjects(t.Objects[first:]))
}

// clientPolicy returns the retries of a route that sends all requests of its clients to the Service itself, and reports what else it does.
func (t *toSMI) clientPolicy(r *catalog.HTTPRoute, service *inventory.Service, found *obstacles) *retry.Settings {
	ref := r.Ref()
	var policy *retry.Settings
	isFirst := true
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() {
			continue
		}
		routes := t.view.ServiceRoutes(r.Name.Namespace, service.Name, port)
		if len(routes) != 1 || routes[0] != r {
			found.fail(ref, "It does not apply alone to port %d, and a Retry applies to all ports of a Service.", port.Number)
			continue
		}
		if len(t.view.ServiceRoutes(service.Name.Namespace, service.Name, port)) > 0 || t.isSplit(service.Name) {
			found.fail(ref, "It replaces the routes or TrafficSplits in the namespace of the Service for its own clients, and TrafficSplits apply to all clients.")
		}
		rule := &r.Rules[0]
		self := []catalog.SplitBackend{{Service: service.Name, Weight: 1}}
		backends := t.ownBackends(service.Name, r, rule, port)
		if len(r.Rules) != 1 || !slices.ContainsFunc(rule.Matches, isCatchAll) || !slices.Equal(backends, self) {
			found.fail(ref, "It routes only the requests of clients in its own namespace, and TrafficSplits apply to all clients.")
		}
		own := t.checkRule(r, rule, found)
		if !isFirst && (own == nil) != (policy == nil) {
			found.fail(ref, "The ports have different retries.")
		}
		policy, isFirst = own, false
	}
	return policy
}

// ownBackends returns the backends of a rule for requests to the Service called, with a weight of 1 for a single one.
func (t *toSMI) ownBackends(called entity.Name, r *catalog.HTTPRoute, rule *catalog.HTTPRouteRule, port inventory.Port) []catalog.SplitBackend {
	var ignored obstacles
	list := t.backendsOf(called, r, rule, port, &ignored)
	for _, o := range ignored {
		if o.fatal {
			continue // the Service itself is in another namespace
		}
		return nil
	}
	if len(list) == 1 && list[0].Weight > 0 {
		list[0].Weight = 1
	}
	return list
}
