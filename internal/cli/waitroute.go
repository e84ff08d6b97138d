package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// isRouteKind reports whether a kind of the Gateway API is one of routes that can have Services as parents.
func isRouteKind(kind string) bool {
	_, isRoute := routeKinds()[kind]
	return isRoute
}

// routeKinds returns the kinds of routes by their names in this program.
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
