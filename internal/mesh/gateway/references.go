package gateway

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// MaxReferences is how many backendRefs the HTTPRoutes of one namespace can have that listeners admit. Each needs a look-up at every change of a
// Gateway, a route or one of their Services.
const MaxReferences = 5_000

// ReasonTooManyReferences means that the HTTPRoutes of a namespace have more than MaxReferences backendRefs.
const ReasonTooManyReferences gatewayv1.RouteConditionReason = "TooManyReferences"

// references are the backendRefs of a route. They are resolved when the first listener admits the route, and last for others: those of
// namespaces outside the mesh need no work.
type references struct {
	resolver *resolver
	route    *catalog.HTTPRoute
	// done is true after the first call of resolve.
	done bool
	// backends are those of each rule; nil if they are too many, or not resolved.
	backends [][]Backend
	// resolved reports whether all of them can be used. It is empty if they are not resolved.
	resolved Verdict
}

// resolve resolves the references at the first call. It returns false if the namespace has too many.
func (f *references) resolve() bool {
	if f.done {
		return f.backends != nil
	}
	f.done = true
	count := 0
	for i := range f.route.Rules {
		count += len(f.route.Rules[i].Backends) + len(f.route.Rules[i].Filters.Mirrors)
	}
	used := f.resolver.references[f.route.Name.Namespace]
	if used+count > MaxReferences {
		return false
	}
	f.resolver.references[f.route.Name.Namespace] = used + count
	f.backends, f.resolved = f.resolver.resolveBackends(f.route)
	return true
}

func tooManyReferences(namespace string) Verdict {
	return no(ReasonTooManyReferences, "This route has no effect, because the HTTPRoutes of namespace %s have more than %d backendRefs: use fewer backends.",
		namespace, MaxReferences)
}

// resolveBackends returns the backends of each rule, and whether all of them can be used.
func (r *resolver) resolveBackends(route *catalog.HTTPRoute) ([][]Backend, Verdict) {
	verdict := yes(gatewayv1.RouteReasonResolvedRefs)
	all := make([][]Backend, len(route.Rules))
	for i := range route.Rules {
		for _, ref := range route.Rules[i].Backends {
			backend, problem := r.resolveBackend(route, ref)
			if !problem.OK {
				verdict = problem
			}
			all[i] = append(all[i], backend)
		}
		for _, mirror := range route.Rules[i].Filters.Mirrors {
			if _, problem := r.resolveBackend(route, mirror.Backend); !problem.OK {
				verdict = problem
			}
		}
	}
	return all, verdict
}

func (r *resolver) resolveBackend(route *catalog.HTTPRoute, ref catalog.RouteBackend) (Backend, Verdict) {
	resolved, problem := authz.ResolveGranted(r.view, route, ref)
	if problem == "" || problem == authz.BackendNotFound {
		r.services[ref.Service] = struct{}{}
	}
	if problem != "" {
		return Backend{Weight: ref.Weight}, unusableBackend(route, ref, problem, resolved.Service)
	}
	return Backend{resolved.Service, resolved.Port, ref.Weight}, yes(gatewayv1.RouteReasonResolvedRefs)
}

// unusableBackend describes why a route cannot use a backend. service is that of a port that does not exist; nil otherwise.
func unusableBackend(route *catalog.HTTPRoute, ref catalog.RouteBackend, problem authz.BackendProblem, service *inventory.Service) Verdict {
	switch problem {
	case authz.InvalidKind:
		return no(problem, "A backendRef refers to %s: refer to a Service.", ref.Unsupported)
	case authz.RefNotPermitted:
		return no(problem, "No ReferenceGrant in the namespace %s permits %ss of the namespace %s to use the Service %s.",
			ref.Service.Namespace, route.Kind.APIName(), route.Name.Namespace, ref.Service.Name)
	}
	if service == nil {
		return no(problem, "There is no Service %s in the mesh.", ref.Service)
	}
	return no(problem, "The Service %s has no port %d.", ref.Service, ref.Port)
}
