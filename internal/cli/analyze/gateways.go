package analyze

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// gateways reports the conditions of Gateways and HTTPRoutes that are False. The control plane writes them, so files have none.
func (a *analysis) gateways() {
	for _, object := range a.mesh.Objects {
		if object.GroupVersionKind().Group != gatewayv1.GroupName {
			continue
		}
		switch entity.Kind(object.GetKind()) {
		case entity.KindGateway:
			a.gateway(object)
		case entity.KindHTTPRoute:
			a.httpRoute(object)
		}
	}
}

func (a *analysis) gateway(object *unstructured.Unstructured) {
	g := &gatewayv1.Gateway{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, g) != nil {
		return
	}
	s := subjectOf(object)
	class := string(g.Spec.GatewayClassName)
	if class != a.mesh.Name {
		if a.view.InMesh(object.GetNamespace()) && a.missing(entity.KindGatewayClass, entity.Name{Name: class}) {
			a.add(codeNoClass, s, "GatewayClass %s not found, so nothing serves the Gateway: the ingress gateway of the mesh has the class %s.", class, a.mesh.Name)
		}
		return
	}
	if a.gatewayOff {
		a.add(codeGatewayOff, s, "The mesh has no ingress gateway: %s.", gatewaystatus.Off(a.mesh.Name))
		return
	}
	a.falseConditions(s, "", g.Generation, g.Status.Conditions)
	for _, l := range g.Status.Listeners {
		a.falseConditions(s, "Listener "+string(l.Name)+": ", g.Generation, l.Conditions)
	}
}

func (a *analysis) httpRoute(object *unstructured.Unstructured) {
	route := &gatewayv1.HTTPRoute{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, route) != nil {
		return
	}
	s := subjectOf(object)
	a.parents(s, route)
	a.grants(s, route)
	for _, parent := range route.Status.Parents {
		if a.isGatewayOfMesh(route.Namespace, parent.ParentRef) {
			a.falseConditions(s, "", route.Generation, parent.Conditions)
		}
	}
}

// isGatewayOfMesh returns true for a parent that is a Gateway of the class of the mesh.
func (a *analysis) isGatewayOfMesh(namespace string, ref gatewayv1.ParentReference) bool {
	name := entity.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)}
	gateway := a.objects[entity.Ref{Kind: entity.KindGateway, Name: name}]
	if gateway == nil {
		return false
	}
	class, _, _ := unstructured.NestedString(gateway.Object, "spec", "gatewayClassName")
	return class == a.mesh.Name
}

// readGateway reads whether the mesh has an ingress gateway.
func (a *analysis) readGateway(ctx context.Context, c client.Reader) {
	parents, _, err := gatewaystatus.ReadParents(ctx, c, a.mesh.Name, nil)
	if err != nil {
		a.gap("the ingress gateway of the mesh", err)
	}
	a.gatewayOff = parents.IsOff
}

// falseConditions reports conditions of the current generation that are False, once for each message. Conflicted and Programmed repeat others.
func (a *analysis) falseConditions(s subject, what string, generation int64, conditions []metav1.Condition) {
	var messages []string
	for _, c := range conditions {
		isFault := c.Status == metav1.ConditionFalse && c.Type != string(gatewayv1.ListenerConditionConflicted)
		if isFault && c.ObservedGeneration == generation && !slices.Contains(messages, c.Message) {
			messages = append(messages, c.Message)
			a.add(codeGatewayAPI, s, "%s%s is False, %s: %s", what, c.Type, c.Reason, c.Message)
		}
	}
}

// parents reports Gateways of an HTTPRoute that do not exist: no controller writes a status about them. Routes of other namespaces may belong to
// other controllers.
func (a *analysis) parents(s subject, route *gatewayv1.HTTPRoute) {
	if !a.view.InMesh(route.Namespace) {
		return
	}
	for _, ref := range route.Spec.ParentRefs {
		parent, _ := ingest.RouteParent(route.Namespace, ref)
		if name := parent.Gateway; name != (entity.Name{}) && a.missing(entity.KindGateway, name) {
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
			name := entity.Name{Namespace: string(ptr.Deref(backend.Namespace, gatewayv1.Namespace(route.Namespace))), Name: string(backend.Name)}
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
