package gatewayapi

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// IsService reports whether a parent is a Service.
func IsService(ref gatewayv1.ParentReference) bool {
	return ref.Kind != nil && *ref.Kind == "Service" && ref.Group != nil && *ref.Group == ""
}

// RouteWriter writes entries of a mesh in status.parents of routes.
type RouteWriter struct {
	Client client.Client
	// Controller is the controller name of the mesh.
	Controller gatewayv1.GatewayController
	// Replaces reports whether an entry of the mesh belongs to this writer.
	Replaces func(gatewayv1.ParentReference) bool
}

// Write replaces the entries of the writer, and keeps all others. Empty parents remove its entries.
func (w RouteWriter) Write(ctx context.Context, object *unstructured.Unstructured, parents []gateway.ParentStatus) error {
	// All kinds of routes have the same status.
	before, err := ReadStatus[gatewayv1.HTTPRoute](object)
	if err != nil {
		return err
	}
	status := before.Status.DeepCopy()
	earlier := status.Parents
	status.Parents = slices.DeleteFunc(slices.Clone(earlier), w.isOwn)
	for _, p := range parents {
		status.Parents = append(status.Parents, w.entry(earlier, before.Generation, p))
	}
	if len(status.Parents) == 0 && len(earlier) == 0 {
		return nil
	}
	return Patch(ctx, w.Client, object, before.Status, status)
}

func (w RouteWriter) isOwn(entry gatewayv1.RouteParentStatus) bool {
	return entry.ControllerName == w.Controller && w.Replaces(entry.ParentRef)
}

// entry returns the entry of a parent. Conditions that do not change keep their time.
func (w RouteWriter) entry(earlier []gatewayv1.RouteParentStatus, generation int64, p gateway.ParentStatus) gatewayv1.RouteParentStatus {
	entry := gatewayv1.RouteParentStatus{ParentRef: parentReference(p.Parent), ControllerName: w.Controller}
	for i := range earlier {
		if earlier[i].ControllerName == w.Controller && equality.Semantic.DeepEqual(earlier[i].ParentRef, entry.ParentRef) {
			entry.Conditions = earlier[i].Conditions
		}
	}
	conditions := []metav1.Condition{Condition(string(gatewayv1.RouteConditionAccepted), p.Accepted)}
	if p.ResolvedRefs.Reason == "" {
		meta.RemoveStatusCondition(&entry.Conditions, string(gatewayv1.RouteConditionResolvedRefs))
	} else {
		conditions = append(conditions, Condition(string(gatewayv1.RouteConditionResolvedRefs), p.ResolvedRefs))
	}
	SetConditions(&entry.Conditions, generation, conditions...)
	return entry
}

func parentReference(p catalog.RouteParent) gatewayv1.ParentReference {
	group, kind, name := gateway.Group, "Gateway", p.Gateway
	if p.Service != (entity.Name{}) {
		group, kind, name = "", "Service", p.Service
	}
	reference := Reference(group, kind, name, p.Section)
	if p.Port != 0 {
		reference.Port = ptr.To(gatewayv1.PortNumber(p.Port))
	}
	return reference
}

// Reference returns a reference to an object, or to a section of it.
func Reference(group, kind string, name entity.Name, section string) gatewayv1.ParentReference {
	reference := gatewayv1.ParentReference{
		Group: ptr.To(gatewayv1.Group(group)), Kind: ptr.To(gatewayv1.Kind(kind)),
		Namespace: ptr.To(gatewayv1.Namespace(name.Namespace)), Name: gatewayv1.ObjectName(name.Name),
	}
	if section != "" {
		reference.SectionName = ptr.To(gatewayv1.SectionName(section))
	}
	return reference
}

// UnreadableParents returns the parents of a route whose spec cannot be read for a problem, as far as they can be read and a predicate is true for them. None
// of them accepts the route.
func UnreadableParents(object *unstructured.Unstructured, problem string, is func(catalog.RouteParent) bool) []gateway.ParentStatus {
	found, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "parentRefs")
	refs, _ := found.([]any)
	var parents []gateway.ParentStatus
	for _, ref := range refs {
		content, _ := ref.(map[string]any)
		var typed gatewayv1.ParentReference
		if runtime.DefaultUnstructuredConverter.FromUnstructured(content, &typed) != nil {
			continue
		}
		if parent, ok := ingest.RouteParent(object.GetNamespace(), typed); ok && is(parent) {
			parents = append(parents, gateway.ParentStatus{
				Parent: parent, Accepted: gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: problem},
			})
		}
	}
	return parents
}

// Validated returns the parents of a route. One with a rule that Envoy would reject is accepted by none of them: proxies get such a rule without
// what is invalid, so the rules of others stay in force.
func Validated(route *catalog.HTTPRoute, parents []gateway.ParentStatus) []gateway.ParentStatus {
	if !slices.ContainsFunc(parents, func(p gateway.ParentStatus) bool { return p.Accepted.OK }) {
		return parents
	}
	err := envoy.ValidateHTTPRoute(route)
	if err == nil {
		return parents
	}
	parents = slices.Clone(parents)
	for i := range parents {
		if parents[i].Accepted.OK {
			parents[i].Accepted = gateway.Verdict{Reason: string(gatewayv1.RouteReasonUnsupportedValue), Message: fmt.Sprintf("Envoy does not accept a part of this route, which is not in force: %v.", err)}
		}
	}
	return parents
}

// NotAccepted returns the parents with a reason why none of them accepts the route. The message of a parent that does not accept it anyway is kept.
func NotAccepted(parents []gateway.ParentStatus, reason, text string) []gateway.ParentStatus {
	parents = slices.Clone(parents)
	for i, p := range parents {
		parents[i].Accepted = gateway.Verdict{Reason: reason, Message: text}
		if !p.Accepted.OK {
			parents[i].Accepted.Message += " " + p.Accepted.Message
		}
	}
	return parents
}
