package restart

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Reasons of Events, which docs/reasons.md explains.
const (
	eventBegun     = "UpgradeBegun"
	eventRestarted = "Restarted"
	eventTakenBack = "SlotTakenBack"
	eventDenied    = "RestartDenied"
	eventFailed    = "RestartFailed"
	eventLimited   = "EventsLimited"
)

// report is an Event about a workload or a pod.
type report struct {
	eventKey
	regarding               *corev1.ObjectReference
	eventType, action, note string
}

// report records an Event in the namespace of a workload, where its owner looks for it. The Mesh has one about those that are omitted.
func (r *Restarter) report(mesh *v1alpha1.Mesh, wave rollout.Wave, e report) {
	isRecorded, isFirstOmitted := r.limits.take(mesh.UID, wave.Target, e.eventType, e.eventKey)
	if isRecorded {
		r.recorder.Eventf(e.regarding, mesh, e.eventType, e.reason, e.action, "%s", e.note)
	}
	if isFirstOmitted {
		outdated := int32(0)
		if mesh.Status.Proxies != nil {
			outdated = mesh.Status.Proxies.Outdated
		}
		r.recorder.Eventf(mesh, nil, e.eventType, eventLimited, "Record"+e.eventType,
			"%d Events of the type %s about workloads and pods were recorded for %s, and further ones are omitted: %d workloads have none yet. See the conditions, status.proxies (%d outdated sidecars at the moment), "+
				"and the metrics osm_operator_workload_restarts_total and osm_operator_slot_changes_total",
			maxEvents(e.eventType), e.eventType, wave.Target, r.limits.without(mesh.UID, wave.Target, pending(wave)), outdated)
	}
}

// pending are the workloads that a wave changes, and those that later ones may change.
func pending(wave rollout.Wave) []rollout.Ref {
	return slices.Concat(wave.Restart, wave.Retry,
		lists.Map(slices.Concat(wave.Patches, wave.RetryPatches), func(patch rollout.PodPatch) rollout.Ref { return patch.Workload }),
		lists.Map(slices.Concat(wave.Upgrading, wave.Waiting, wave.Blocked), func(note rollout.Note) rollout.Ref { return note.Ref }))
}

// podReference is the pod of a patch.
func podReference(patch rollout.PodPatch) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: patch.Namespace, Name: patch.Pod, UID: types.UID(patch.UID)}
}
