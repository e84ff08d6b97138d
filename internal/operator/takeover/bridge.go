package takeover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// maxNamedWorkloads is how many workloads the condition about sidecars of Open Service Mesh names.
const maxNamedWorkloads = 5

// BridgeOf returns the time of the bridge for sidecars of Open Service Mesh that a Mesh declares; nil if it declares none. It begins once: the status
// remembers when, and until that is written, so does the end in the MeshRevision.
func BridgeOf(mesh *v1alpha1.Mesh, current *v1alpha1.MeshRevision, now time.Time) *v1alpha1.BridgeStatus {
	if mesh.Spec.Adoption == nil || mesh.Spec.Adoption.Bridge == nil {
		return nil
	}
	duration := mesh.Spec.Adoption.Bridge.Duration.ValueOr(v1alpha1.DefaultBridgeDuration)
	opened := now.Truncate(time.Second)
	switch {
	case mesh.Status.Bridge != nil:
		opened = mesh.Status.Bridge.OpenedTime.Time
	case current != nil && current.Spec.BridgeUntil != nil:
		opened = current.Spec.BridgeUntil.Add(-duration)
	}
	return &v1alpha1.BridgeStatus{OpenedTime: metav1.NewTime(opened), ClosesTime: metav1.NewTime(opened.Add(duration))}
}

// BridgeUntil returns the end of a bridge for a MeshRevision; nil without a bridge.
func BridgeUntil(bridge *v1alpha1.BridgeStatus) *metav1.Time {
	if bridge == nil {
		return nil
	}
	return &bridge.ClosesTime
}

// SetBridge writes the time of the bridge and the condition about it, and returns how long it is still open. The time remains when the bridge is not declared
// any more, so that it is not extended by declaring it again. bridge is that of this reconciliation; nil if it has read none.
func SetBridge(mesh *v1alpha1.Mesh, bridge *v1alpha1.BridgeStatus, updated *v1alpha1.MeshStatus, now time.Time, workloads []rollout.Workload) time.Duration {
	if bridge != nil {
		updated.Bridge = bridge
	}
	editor := conditions.NewEditor(&updated.Conditions, mesh.Generation, now)
	if mesh.Spec.Adoption == nil || mesh.Spec.Adoption.Bridge == nil || updated.Bridge == nil {
		editor.SetOrRemove(false, v1alpha1.ConditionServingOSMSidecars, "", "")
		return 0
	}
	editor.Set(v1alpha1.ConditionServingOSMSidecars, assessBridge(updated.Bridge.ClosesTime.Time, now, workloads))
	return max(0, updated.Bridge.ClosesTime.Sub(now))
}

// assessBridge reports whether sidecars of Open Service Mesh are served, and which workloads have one.
func assessBridge(closes, now time.Time, workloads []rollout.Workload) conditions.Assessment {
	at := closes.UTC().Format(time.RFC3339)
	users, pods := osmWorkloads(workloads)
	switch {
	case !now.Before(closes) && pods == 0:
		return conditions.Assessment{
			State: conditions.Failing, Reason: v1alpha1.ReasonBridgeClosed,
			Message: "sidecars of Open Service Mesh were served until " + at +
				", and no workload has one: remove spec.adoption.bridge",
		}
	case !now.Before(closes):
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonBridgeClosed, Message: fmt.Sprintf(
			"sidecars of Open Service Mesh were served until %s; %d pods still have one: %s", at, pods, users)}
	case pods == 0:
		return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonBridgeUnused, Message: "no workload has a sidecar of Open Service Mesh any more: remove " +
			"spec.adoption.bridge; such sidecars are served until " + at}
	}
	return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonBridgeOpen, Message: fmt.Sprintf(
		"sidecars of Open Service Mesh are served until %s; %d pods have one: %s", at, pods, users)}
}

// osmWorkloads returns the first workloads with sidecars of Open Service Mesh, which have no revision, and the number of their pods.
func osmWorkloads(workloads []rollout.Workload) (text string, pods int) {
	var names []string
	for _, w := range workloads {
		if count := w.Sidecars[""]; count > 0 {
			names, pods = append(names, w.Ref.String()), pods+count
		}
	}
	slices.Sort(names)
	if more := len(names) - maxNamedWorkloads; more > 0 {
		names = append(names[:maxNamedWorkloads], fmt.Sprintf("and %d more workloads", more))
	}
	return strings.Join(names, ", "), pods
}
