package translate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// remainsInForce ends the notes of Retries that cannot be translated.
const remainsInForce = "It remains in force with HTTPRoutes, so it can stay."

// translateRetries translates Retries. A Retry has one client, and a route has all clients of a namespace, or of the mesh: all of them must have the
// same Retry.
func (t *toRoutes) translateRetries() {
	for _, policy := range entriesOf[*retry.Policy](t.loaded, retry.Kind) {
		switch {
		case !t.selects(policy.Name):
		case t.hasRetries():
			t.translateRetry(policy)
		default:
			t.note(policy.Ref(), Idle, "spec.featureFlags.enableRetryPolicy of the MeshConfig is not true.")
		}
	}
}

func (t *toRoutes) translateRetry(policy *retry.Policy) {
	var found obstacles
	var into []entity.Ref
	ref := policy.Ref()
	for _, destination := range policy.Destinations {
		if inForce := retry.InForce(t.view, policy.Source, destination); inForce.Name != policy.Name {
			continue
		}
		if policy.Settings.Count == 0 {
			continue
		}
		routes, err := t.routesWithRetry(policy, destination)
		if err != nil {
			found.fail(ref, "Service %s: %v. %s", destination, err, remainsInForce)
		}
		into = append(into, routes...)
	}
	switch text, _ := found.textsFor(ref); {
	case len(found) > 0 && len(into) > 0:
		t.note(ref, Partial, "%s. %s", joinRefs(into), text)
	case len(found) > 0:
		t.note(ref, Untranslated, "%s", text)
	case len(into) > 0:
		t.note(ref, Translated, "%s.", joinRefs(into))
	case policy.Settings.Count == 0:
		t.note(ref, Idle, "numRetries is 0. Delete it.")
	default:
		t.note(ref, Idle, "older Retries of the same client have its destinations. Delete it.")
	}
}

// routesWithRetry adds a Retry to the routes for its clients, and returns them. It creates routes that send all requests to the Service itself where
// there are none.
func (t *toRoutes) routesWithRetry(policy *retry.Policy, destination entity.Name) ([]entity.Ref, error) {
	service := t.view.Service(destination)
	if service == nil {
		return nil, errors.New("it is not in the input: add it")
	}
	if err := checkRetry(policy.Settings); err != nil {
		return nil, err
	}
	namespace, err := t.retryNamespace(policy, destination)
	if err != nil {
		return nil, err
	}
	var refs []entity.Ref
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() {
			continue
		}
		if t.isSplit(destination) && len(t.routes[servicePort{destination, port.Number}]) == 0 {
			return nil, fmt.Errorf("its TrafficSplits are not translated on port %d", port.Number)
		}
		for _, clients := range []string{namespace, policy.Source.Namespace} {
			if existing := t.view.ServiceRoutes(clients, destination, port); len(existing) > 0 {
				return nil, fmt.Errorf("the %s %s applies to its port %d already: add the retries to the rules there", existing[0].Kind, existing[0].Name, port.Number)
			}
		}
	}
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() {
			continue
		}
		r := t.routeFor(namespace, service, port)
		r.retry = &policy.Settings
		if !slices.Contains(r.from, policy.Ref()) {
			r.from = append(slices.Clone(r.from), policy.Ref())
		}
		refs = append(refs, r.Ref)
	}
	if len(refs) == 0 {
		return nil, errors.New("it has no HTTP port")
	}
	return refs, nil
}

// retryNamespace returns the namespace in which a route has the clients of a Retry: that of the Service if all clients of the mesh have the same
// policy, or else that of the client.
func (t *toRoutes) retryNamespace(policy *retry.Policy, destination entity.Name) (string, error) {
	client, others := policy.Source.Namespace, ""
	accounts := t.accounts()
	if !slices.Contains(accounts, policy.Source) {
		return "", fmt.Errorf("no pod of its client %s is in the input, so the other clients in namespace %s are not known: translate from the cluster, or add the workloads", policy.Source.Name, client)
	}
	for _, account := range accounts {
		if other := retry.InForce(t.view, account, destination); other == nil || other.Settings != policy.Settings {
			others = fmt.Sprintf("ServiceAccount %s/%s", account.Namespace, account.Name)
			if account.Namespace == client {
				return "", fmt.Errorf("an HTTPRoute applies to all clients in namespace %s, and %s has no Retry like this one", client, others)
			}
		}
	}
	switch {
	case others == "":
		return destination.Namespace, nil
	case client == destination.Namespace:
		return "", fmt.Errorf("an HTTPRoute in the namespace of the Service applies to clients in all namespaces, and %s has no Retry like this one", others)
	case t.isSplit(destination):
		return "", fmt.Errorf("an HTTPRoute in namespace %s would replace that of the Service for these clients, and %s has no Retry like this one", client, others)
	}
	return client, nil
}

// routeFor returns the new route of a namespace for a port. Without one, it adds a route to the Service itself.
func (t *toRoutes) routeFor(namespace string, service *inventory.Service, port inventory.Port) *route {
	to := servicePort{service.Name, port.Number}
	for _, r := range t.routes[to] {
		if r.Name.Namespace == namespace {
			return r
		}
	}
	r := t.newRoute(entity.KindHTTPRoute, namespace, service, port, []routeRule{{
		matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: anyPath}},
		backends: []catalog.RouteBackend{{Service: service.Name, Port: port.Number, Weight: 1}},
	}})
	t.routes[to] = append(t.routes[to], r)
	return r
}
