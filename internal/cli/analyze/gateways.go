package analyze

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
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
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	gateway := a.objects[entity.Ref{Kind: entity.KindGateway, Name: entity.Name{Namespace: namespace, Name: string(ref.Name)}}]
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
