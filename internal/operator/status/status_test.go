package status

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestPart_HasTheFieldsOfItsOwnerOnly(t *testing.T) {
	status := &v1alpha1.MeshStatus{
		ObservedGeneration: 3, Version: "v1", DesiredVersion: "v2",
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionUpgrading}, {Type: v1alpha1.ConditionReady}, {Type: v1alpha1.ConditionControlPlaneReady}},
	}
	part, err := Rollout.part(status)
	if err != nil {
		t.Fatal(err)
	}
	if part["version"] != "v1" || part["desiredVersion"] != nil || part["observedGeneration"] != nil {
		t.Errorf("the part of the rollout is %v", part)
	}
	var kinds []string
	for _, condition := range part["conditions"].([]any) {
		kinds = append(kinds, condition.(map[string]any)["type"].(string))
	}
	// The order is that of the owner, so that the order in the status makes no difference.
	if want := []string{v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionUpgrading}; !slices.Equal(kinds, want) {
		t.Errorf("conditions are %v, want %v", kinds, want)
	}
	if len(status.Conditions) != 3 {
		t.Errorf("the status was changed: %+v", status)
	}
}

func TestMerge_ReplacesThePartOfItsOwner(t *testing.T) {
	at := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}
	before := &v1alpha1.MeshStatus{
		DesiredVersion: "v2", Version: "v1", Upgrade: &v1alpha1.UpgradeStatus{To: "v2"},
		Conditions: []metav1.Condition{at, {Type: v1alpha1.ConditionUpgrading, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionDataPlaneUpToDate}},
	}
	desired := &v1alpha1.MeshStatus{
		DesiredVersion: "not of this owner", Version: "v2",
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}, {Type: v1alpha1.ConditionUpgrading, Status: metav1.ConditionFalse}},
	}
	part, err := Rollout.part(desired)
	if err != nil {
		t.Fatal(err)
	}
	got, err := merge(Rollout, before, desired, part)
	if err != nil {
		t.Fatal(err)
	}
	want := &v1alpha1.MeshStatus{
		DesiredVersion: "v2", Version: "v2", Conditions: []metav1.Condition{at, {Type: v1alpha1.ConditionUpgrading, Status: metav1.ConditionFalse}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged status (-want +got):\n%s", diff)
	}
}
