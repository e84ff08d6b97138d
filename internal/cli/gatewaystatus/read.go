package gatewaystatus

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Object is an object of the Gateway API that concerns a mesh.
type Object struct {
	*unstructured.Unstructured
	// Problems are sentences about what is not in force; empty if all is.
	Problems []string
	// IsKnown is false if the control plane has not written the status of the newest version yet, and nothing else explains that.
	IsKnown bool
}

// Parents answer whether the parents of routes exist.
type Parents struct {
	// Mesh is the name of the mesh, and of the class of its Gateways.
	Mesh string
	// Members are the namespaces of the mesh.
	Members []string
	// Classes are the classes of all Gateways.
	Classes map[entity.Name]string
	// IsOff is true if the Mesh has no ingress gateway. It is false if that is unknown.
	IsOff bool
}

// Read returns the objects that concern a mesh, by kind and name. It returns an error for each kind that cannot be read; a kind that the cluster does
// not define has no objects.
func Read(ctx context.Context, c client.Reader, mesh string, members []string) (all []Object, errs []error) {
	parents, gateways, err := ReadParents(ctx, c, mesh, members)
	if err != nil {
		return nil, []error{err}
	}
	for i := range gateways {
		if parents.Classes[nameOf(&gateways[i])] == mesh {
			all = append(all, parents.gateway(&gateways[i]))
		}
	}
	for _, kind := range []schema.GroupVersionKind{kinds.HTTPRoute, kinds.GRPCRoute, kinds.TLSRoute, kinds.GatewayTCPRoute, kinds.BackendTLSPolicy} {
		objects, err := list(ctx, c, kind)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range objects {
			if object, concerned := parents.Of(&objects[i]); concerned {
				all = append(all, object)
			}
		}
	}
	return all, errs
}

// ReadParents reads the Gateways and the Mesh.
func ReadParents(ctx context.Context, c client.Reader, mesh string, members []string) (Parents, []unstructured.Unstructured, error) {
	p := Parents{Mesh: mesh, Members: members, Classes: map[entity.Name]string{}}
	gateways, err := list(ctx, c, kinds.Gateway)
	if err != nil {
		return p, nil, err
	}
	for i := range gateways {
		p.Classes[nameOf(&gateways[i])], _, _ = unstructured.NestedString(gateways[i].Object, "spec", "gatewayClassName")
	}
	live := &v1alpha1.Mesh{}
	switch err := c.Get(ctx, client.ObjectKey{Name: mesh}, live); {
	case err == nil:
		p.IsOff = live.Spec.IngressGateway == nil || ptr.Deref(live.Spec.IngressGateway.Mode, v1alpha1.IngressGatewayDisabled) != v1alpha1.IngressGatewayManaged
	case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) && !meta.IsNoMatchError(err):
		return p, nil, fmt.Errorf("read Mesh %s: %w", mesh, err)
	}
	return p, gateways, nil
}

func list(ctx context.Context, c client.Reader, kind schema.GroupVersionKind) ([]unstructured.Unstructured, error) {
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(kind)
	if err := c.List(ctx, all); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("list objects of kind %s: %w", kind.Kind, err)
	}
	for i := range all.Items {
		all.Items[i].SetGroupVersionKind(kind)
	}
	return all.Items, nil
}

func nameOf(object *unstructured.Unstructured) entity.Name {
	return entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// isController reports whether a mesh wrote a part of a status.
func (p Parents) isController(name string) bool { return name == names.GatewayController(p.Mesh) }

// problems returns conditions of the newest generation that are False, and whether there are any of it. Conflicted repeats others.
func problems(generation int64, conditions []metav1.Condition) (all []string, isKnown bool) {
	for _, c := range conditions {
		if c.ObservedGeneration != generation || c.Status == metav1.ConditionUnknown {
			continue
		}
		isKnown = true
		text := c.Reason + ": " + c.Message
		if c.Status == metav1.ConditionFalse && c.Type != "Conflicted" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all, isKnown
}
