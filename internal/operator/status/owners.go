package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
)

// Owner is the part of a Mesh's status that one controller writes.
type Owner struct {
	// Manager is the field manager.
	Manager string
	// Fields are the fields of the status, by their JSON names.
	Fields []string
	// Conditions are the types of the conditions.
	Conditions []string
}

// The owners. Every field and condition of the status has exactly one.
var (
	Mesh = Owner{
		Manager: "osm-operator-mesh",
		Fields:  []string{"observedGeneration", "namespace", "namespaces", "desiredVersion", "phase"},
		Conditions: []string{
			v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled,
			v1alpha1.ConditionInstalled, v1alpha1.ConditionConfigurationAccepted, v1alpha1.ConditionPaused,
		},
	}
	Certificates = Owner{
		Manager:    "osm-operator-certificates",
		Fields:     []string{"certificates"},
		Conditions: []string{v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionRotatingAuthority, v1alpha1.ConditionCertificatesDelegated, v1alpha1.ConditionIngressCertificateReady},
	}
	Trust   = Owner{Manager: "osm-operator-trust", Conditions: []string{v1alpha1.ConditionTrustDistributed}}
	Rollout = Owner{
		Manager: "osm-operator-rollout",
		Fields:  []string{"version", "revisions", "proxies", "upgrade", "history"},
		Conditions: []string{
			v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionUpgrading, v1alpha1.ConditionDataPlaneUpToDate,
		},
	}
	Teardown = Owner{Manager: "osm-operator-teardown", Fields: []string{"removal"}, Conditions: []string{v1alpha1.ConditionRemoved}}
	Plan     = Owner{Manager: "osm-operator-plan", Fields: []string{"plan"}, Conditions: []string{v1alpha1.ConditionPlanned}}
	// Components writes its part itself, because the inventory precedes the objects, also before the first summary.
	Components = Owner{Manager: "osm-operator-components", Fields: []string{"components"}, Conditions: []string{v1alpha1.ConditionComponentsReady}}
)

// part is what an owner has in a status, as its JSON would be.
func (o Owner) part(status *v1alpha1.MeshStatus) (map[string]any, error) {
	kept := status.DeepCopy()
	kept.Conditions = slices.DeleteFunc(kept.Conditions, func(c metav1.Condition) bool { return !slices.Contains(o.Conditions, c.Type) })
	slices.SortFunc(kept.Conditions, func(a, b metav1.Condition) int {
		return slices.Index(o.Conditions, a.Type) - slices.Index(o.Conditions, b.Type)
	})
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(kept)
	if err != nil {
		return nil, err
	}
	for field := range content {
		if field != "conditions" && !slices.Contains(o.Fields, field) {
			delete(content, field)
		}
	}
	return content, nil
}

// RecordPhase records an Event when a written status has another phase of an upgrade or of a removal. The condition Ready says when a
// mesh is idle or paused.
func RecordPhase(recorder events.EventRecorder, before, after *v1alpha1.Mesh) {
	was, _ := metrics.PhaseOf(before)
	is, _ := metrics.PhaseOf(after)
	if was == is || slices.Contains([]v1alpha1.MeshPhase{"", v1alpha1.PhaseIdle, v1alpha1.PhasePaused, v1alpha1.PhasePlanned}, is) {
		return
	}
	message := ""
	if status := after.Status; status.Removal != nil {
		message = status.Removal.Message
	} else if status.Upgrade != nil {
		message = status.Upgrade.Message
	}
	if message == "" {
		message = "under way"
	}
	recorder.Eventf(after, nil, corev1.EventTypeNormal, "PhaseBegun", "Begin "+string(is), "%s: %s", is, message)
}
