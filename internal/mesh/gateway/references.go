package gateway

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// MaxReferences is how many backendRefs the HTTPRoutes of one namespace can have that listeners admit. Each needs a look-up at every change of a
// Gateway, a route or one of their Services.
const MaxReferences = 5_000

// ReasonTooManyReferences means that the HTTPRoutes of a namespace have more than MaxReferences backendRefs.
const ReasonTooManyReferences gatewayv1.RouteConditionReason = "TooManyReferences"

// references are the backendRefs of a route. They are resolved when the first listener admits the route, and never for other routes: those of
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
			backend, problem := r.resolveBackend(route.Ref(), ref)
			if !problem.OK {
				verdict = problem
			}
			all[i] = append(all[i], backend)
		}
		for _, mirror := range route.Rules[i].Filters.Mirrors {
			if _, problem := r.resolveBackend(route.Ref(), mirror.Backend); !problem.OK {
				verdict = problem
			}
		}
	}
	return all, verdict
}

func (r *resolver) resolveBackend(route catalog.Ref, ref catalog.RouteBackend) (Backend, Verdict) {
	backend, namespace := Backend{Weight: ref.Weight}, route.Name.Namespace
	from := catalog.GrantedReferrer{Group: Group, Kind: string(route.Kind), Namespace: namespace}
	switch {
	case ref.Unsupported != "":
		return backend, no(gatewayv1.RouteReasonInvalidKind, "A backendRef refers to %s: refer to a Service.", ref.Unsupported)
	case ref.Service.Namespace != namespace && !r.view.Grants(from, "", "Service", ref.Service):
		return backend, no(gatewayv1.RouteReasonRefNotPermitted, "No ReferenceGrant in the namespace %s permits %ss of the namespace %s to use the Service %s.", ref.Service.Namespace, route.Kind, namespace, ref.Service.Name)
	}
	r.services[ref.Service] = struct{}{}
	service := r.view.Service(ref.Service)
	if service == nil {
		return backend, no(gatewayv1.RouteReasonBackendNotFound, "There is no Service %s in the mesh.", ref.Service)
	}
	i := slices.IndexFunc(service.Ports, func(p catalog.Port) bool { return p.Number == ref.Port })
	if i < 0 {
		return backend, no(gatewayv1.RouteReasonBackendNotFound, "The Service %s has no port %d.", ref.Service, ref.Port)
	}
	backend.Service, backend.Port = service, service.Ports[i]
	return backend, yes(gatewayv1.RouteReasonResolvedRefs)
}
