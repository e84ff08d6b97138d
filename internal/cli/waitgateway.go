package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// gatewayWait polls the conditions of a Gateway or a route of the mesh, and the acknowledgements of the sidecars that apply a route.
type gatewayWait struct {
	policyRef
	mesh   mesh
	reader client.Reader
	// sidecars waits for the acknowledgements of a route for Services. It is nil for others.
	sidecars *policyWait
	reports  objectReports

	failures
}

// poll returns true when the object is in force. It returns an error if a condition remains False, or if another controller serves the object.
func (w *gatewayWait) poll(ctx context.Context) (bool, error) {
	parts, err := w.read(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return false, fmt.Errorf("%s not found: specify its namespace with -n", w)
	case meta.IsNoMatchError(err):
		return false, fmt.Errorf("the cluster does not have the kind %s: install the definitions of the Gateway API", w.kind)
	case err != nil:
		return false, err
	}
	failure, done := "", len(parts) > 0
	for _, part := range parts {
		for _, kind := range part.expected {
			c := meta.FindStatusCondition(part.conditions, kind)
			switch {
			case c == nil || c.ObservedGeneration != part.generation || c.Status == metav1.ConditionUnknown:
				done = false
			case c.Status == metav1.ConditionFalse && failure == "":
				failure = fmt.Sprintf("%s%s is False (%s): %s", part.name, c.Type, c.Reason, c.Message)
			}
		}
	}
	if failure == "" && !done {
		failure, err = w.unserved(ctx)
	}
	if err != nil {
		return false, err
	}
	if failure == "" {
		w.failed, w.last = 0, "the control plane has not written the conditions of its newest version"
		if !done || w.sidecars == nil {
			return done, nil
		}
		done, err = w.sidecars.pollReports(ctx, parts[0].generation)
		w.last = w.sidecars.last
		return done, err
	}
	return false, w.add(w, failure)
}

// unserved returns why nothing writes the status of the object: its Gateway does not exist, or the mesh has no ingress gateway; empty if something does.
func (w *gatewayWait) unserved(ctx context.Context) (string, error) {
	parents, _, err := gatewaystatus.ReadParents(ctx, w.reader, w.mesh.Name, append(slices.Clone(w.mesh.Members), w.namespace))
	if err != nil {
		return "", err
	}
	kind, isRoute := routeKinds()[w.kind]
	if !isRoute {
		if parents.IsOff {
			return gatewaystatus.Off(w.mesh.Name), nil
		}
		return "", nil
	}
	object := kinds.Object(kind)
	if err := w.reader.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.name}, object); err != nil {
		return "", err
	}
	unstructured.RemoveNestedField(object.Object, "status")
	route, _ := parents.Of(object)
	return strings.Join(route.Problems, "; "), nil
}

// gatewayPart are conditions in the status of a Gateway or a route, and those that must be True.
type gatewayPart struct {
	name       string
	generation int64
	conditions []metav1.Condition
	expected   []string
}

// read returns the conditions of the object: of a Gateway and its listeners, or of a route for each of its parents.
func (w *gatewayWait) read(ctx context.Context) ([]gatewayPart, error) {
	if kind, isRoute := routeKinds()[w.kind]; isRoute {
		return w.readRoute(ctx, kind)
	}
	gateway := &gatewayv1.Gateway{}
	if err := w.get(ctx, kinds.Gateway, gateway); err != nil {
		return nil, err
	}
	if class := string(gateway.Spec.GatewayClassName); class != w.mesh.Name {
		return nil, fmt.Errorf("%s has the class %s, which is not that of the ingress gateway of mesh %s: write gatewayClassName: %s", w, class, w.mesh.Name, w.mesh.Name)
	}
	parts := []gatewayPart{{"", gateway.Generation, gateway.Status.Conditions, []string{string(gatewayv1.GatewayConditionAccepted), string(gatewayv1.GatewayConditionProgrammed)}}}
	for _, l := range gateway.Status.Listeners {
		parts = append(parts, gatewayPart{
			"Listener " + string(l.Name) + ": ", gateway.Generation, l.Conditions, []string{string(gatewayv1.ListenerConditionAccepted), string(gatewayv1.ListenerConditionResolvedRefs), string(gatewayv1.ListenerConditionProgrammed)},
		})
	}
	// The reasons are in the conditions of listeners.
	slices.Reverse(parts)
	return parts, nil
}

// get reads the object. The cluster may not have its kind.
func (w *gatewayWait) get(ctx context.Context, kind schema.GroupVersionKind, into any) error {
	object := kinds.Object(kind)
	if err := w.reader.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.name}, object); err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
}

func (w *gatewayWait) pending() string { return "is not in force: " + w.last }

// summary describes an object that is in force.
func (w *gatewayWait) summary() string {
	if w.sidecars != nil {
		return w.sidecars.summary()
	}
	return w.String() + " is in force"
}

// routeKinds returns the kinds of routes that can have Services as parents, by their names in this program.
func routeKinds() map[string]schema.GroupVersionKind {
	all := map[string]schema.GroupVersionKind{}
	for _, kind := range []schema.GroupVersionKind{kinds.HTTPRoute, kinds.GRPCRoute, kinds.TLSRoute, kinds.GatewayTCPRoute} {
		all[string(kinds.EntryKind(kind))] = kind
	}
	return all
}

// routeKindOf returns the kind of route with a singular or plural in lower case, and a group, which may be empty or have a version; empty if there is none.
// SMI has a TCPRoute too, which is meant without a group.
func routeKindOf(plain, group string) string {
	for name, kind := range routeKinds() {
		singular := strings.ToLower(kind.Kind)
		isNamed := plain == singular || plain == singular+"s"
		if isNamed && (kind != kinds.GatewayTCPRoute || strings.HasSuffix(group, kind.Group)) {
			return name
		}
	}
	return ""
}

// readRoute returns the conditions of a route for each of its parents. A Service without an entry has none yet.
func (w *gatewayWait) readRoute(ctx context.Context, kind schema.GroupVersionKind) ([]gatewayPart, error) {
	route := &gatewayv1.HTTPRoute{} // all kinds of routes have the same parents and status
	if err := w.get(ctx, kind, route); err != nil {
		return nil, err
	}
	var parts []gatewayPart
	add := func(entry gatewayv1.RouteParentStatus) {
		parts = append(parts, gatewayPart{
			"", route.Generation, entry.Conditions, []string{string(gatewayv1.RouteConditionAccepted), string(gatewayv1.RouteConditionResolvedRefs)},
		})
	}
	for _, entry := range route.Status.Parents {
		add(entry)
	}
	w.sidecars = nil
	for _, parent := range route.Spec.ParentRefs {
		if ptr.Deref(parent.Kind, "Gateway") != "Service" {
			continue
		}
		if !slices.Contains(w.mesh.Members, w.namespace) {
			return nil, fmt.Errorf("%s has no effect on Service %s: namespace %s is not part of mesh %s: add it with `osm namespace add %s --mesh-name %s`",
				w, parent.Name, w.namespace, w.mesh.Name, w.namespace, w.mesh.Name)
		}
		w.sidecars = &policyWait{policyRef: w.policyRef, mesh: w.mesh, reports: w.reports}
		isEntry := func(entry gatewayv1.RouteParentStatus) bool { return sameParent(w.namespace, entry.ParentRef, parent) }
		if !slices.ContainsFunc(route.Status.Parents, isEntry) {
			add(gatewayv1.RouteParentStatus{})
		}
	}
	return parts, nil
}

// sameParent reports whether two references in a namespace are to the same parent and section.
func sameParent(namespace string, a, b gatewayv1.ParentReference) bool {
	in := gatewayv1.Namespace(namespace)
	return ptr.Deref(a.Kind, "") == ptr.Deref(b.Kind, "") && a.Name == b.Name && ptr.Deref(a.Port, 0) == ptr.Deref(b.Port, 0) &&
		ptr.Deref(a.SectionName, "") == ptr.Deref(b.SectionName, "") &&
		cmp.Or(ptr.Deref(a.Namespace, ""), in) == cmp.Or(ptr.Deref(b.Namespace, ""), in)
}
