package analyze

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// parents reports Gateways of an HTTPRoute that do not exist: no controller writes a status about them. Routes of other namespaces may belong to
// other controllers.
func (a *analysis) parents(s subject, route *gatewayv1.HTTPRoute) {
	if !a.view.InMesh(route.Namespace) {
		return
	}
	for _, parent := range route.Spec.ParentRefs {
		name := entity.Name{Namespace: route.Namespace, Name: string(parent.Name)}
		if parent.Namespace != nil {
			name.Namespace = string(*parent.Namespace)
		}
		isGateway := (parent.Kind == nil || *parent.Kind == "Gateway") && (parent.Group == nil || *parent.Group == gatewayv1.GroupName)
		if isGateway && a.missing(entity.KindGateway, name) {
			a.add(codeNoParent, s, "Gateway %s not found in namespace %s, so no request uses this HTTPRoute: create the Gateway, or correct spec.parentRefs.", name.Name, name.Namespace)
		}
	}
}

// grants reports Services of an HTTPRoute that no policy lets the ingress gateway call. The gateway answers 403 then.
func (a *analysis) grants(s subject, route *gatewayv1.HTTPRoute) {
	client := a.view.GatewayAccount(names.IngressGateway)
	if client.Name == "" || !slices.ContainsFunc(route.Spec.ParentRefs, func(p gatewayv1.ParentReference) bool { return a.isGatewayOfMesh(route.Namespace, p) }) {
		return
	}
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			name := entity.Name{Namespace: route.Namespace, Name: string(backend.Name)}
			if backend.Namespace != nil {
				name.Namespace = string(*backend.Namespace)
			}
			service := a.view.Service(name)
			if service == nil || backend.Port == nil || len(a.view.ServiceIdentities(name)) == 0 {
				continue // other findings are about these
			}
			port := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return int32(p.Number) == *backend.Port })
			if port >= 0 && !authz.ResolveRoute(a.view, client, service, service.Ports[port]).IsCallable() {
				a.add(codeNotGranted, s, "No TrafficTarget lets the ingress gateway call Service %s, so clients get status 403: create one with the source %s in namespace %s.", name, client.Name, client.Namespace)
			}
		}
	}
}
