package gatewaystatus

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Off says that the mesh has no ingress gateway, for a Gateway of its class.
func Off(mesh string) string {
	return fmt.Sprintf("nothing serves this Gateway, because spec.ingressGateway.mode of Mesh %s is not Managed: set it, or delete the Gateway", mesh)
}

// NoGateway says that the parent of a route does not exist.
func NoGateway(name entity.Name) string {
	return fmt.Sprintf("Gateway %s not found in namespace %s: create it, or correct spec.parentRefs", name.Name, name.Namespace)
}

// Of returns a route or BackendTLSPolicy, and whether it concerns the mesh.
func (p Parents) Of(object *unstructured.Unstructured) (Object, bool) {
	if object.GetKind() == kinds.BackendTLSPolicy.Kind {
		return p.policy(object)
	}
	route := &gatewayv1.HTTPRoute{} // all kinds of routes have the same parents and status
	if !convert(object, route) {
		return Object{}, false
	}
	out := Object{Unstructured: object}
	isOfMesh := false
	for _, ref := range route.Spec.ParentRefs {
		problem, concerned := p.parent(object.GetNamespace(), ref)
		isOfMesh = isOfMesh || concerned
		if concerned && problem != "" {
			out.Problems, out.IsKnown = append(out.Problems, problem), true
		}
	}
	for _, parent := range route.Status.Parents {
		if p.isController(string(parent.ControllerName)) {
			all, known := problems(route.Generation, parent.Conditions)
			out.add(all, known)
			isOfMesh = true
		}
	}
	return out, isOfMesh
}

// parent returns what is wrong with a parent, and whether it concerns the mesh: a Gateway of its class, one that does not exist, or a Service.
func (p Parents) parent(namespace string, ref gatewayv1.ParentReference) (problem string, concerned bool) {
	name := entity.Name{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)}
	isMember := slices.Contains(p.Members, namespace)
	switch ptr.Deref(ref.Kind, "Gateway") {
	case "Service":
		return "", isMember
	case "Gateway":
		class, exists := p.Classes[name]
		switch {
		case !exists:
			return NoGateway(name), isMember
		case class == p.Mesh && p.IsOff:
			return fmt.Sprintf("nothing serves Gateway %s, because spec.ingressGateway.mode of Mesh %s is not Managed", name, p.Mesh), true
		}
		return "", class == p.Mesh
	}
	return "", false
}

// gateway returns a Gateway of the class of the mesh, with the problems of its listeners.
func (p Parents) gateway(object *unstructured.Unstructured) Object {
	out := Object{Unstructured: object}
	g := &gatewayv1.Gateway{}
	switch {
	case p.IsOff:
		out.add([]string{Off(p.Mesh)}, true)
	case convert(object, g):
		all, known := problems(g.Generation, g.Status.Conditions)
		out.add(all, known)
		for _, l := range g.Status.Listeners {
			all, _ := problems(g.Generation, l.Conditions)
			for _, problem := range all {
				out.add([]string{"listener " + string(l.Name) + ": " + problem}, known)
			}
		}
	}
	return out
}

// policy returns a BackendTLSPolicy. Its status is empty while nothing uses it.
func (p Parents) policy(object *unstructured.Unstructured) (Object, bool) {
	policy := &gatewayv1.BackendTLSPolicy{}
	if !convert(object, policy) {
		return Object{}, false
	}
	out := Object{Unstructured: object, IsKnown: true}
	for _, ancestor := range policy.Status.Ancestors {
		if p.isController(string(ancestor.ControllerName)) {
			all, _ := problems(policy.Generation, ancestor.Conditions)
			out.add(all, true)
		}
	}
	return out, len(out.Problems) > 0 || slices.Contains(p.Members, object.GetNamespace())
}

// add adds problems, each once.
func (o *Object) add(all []string, isKnown bool) {
	o.IsKnown = o.IsKnown || isKnown
	for _, problem := range all {
		if !slices.Contains(o.Problems, problem) {
			o.Problems = append(o.Problems, problem)
		}
	}
}

// convert reads an object into its type. It returns false for one that the type cannot have.
func convert(object *unstructured.Unstructured, into any) bool {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into) == nil
}
