package status

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// conditionPath is the path of a field of a condition.
func conditionPath(kind string) fieldpath.Path {
	return fieldpath.MakePathOrDie("status", "conditions", fieldpath.KeyByFields("type", kind), "reason")
}

func TestOwnerOf(t *testing.T) {
	for _, c := range []struct {
		path fieldpath.Path
		want Owner
	}{
		{fieldpath.MakePathOrDie("status", "upgrade", "phase"), Rollout},
		{fieldpath.MakePathOrDie("status", "removal"), Teardown},
		{fieldpath.MakePathOrDie("status", "plan", "summary"), Plan},
		{fieldpath.MakePathOrDie("status", "desiredVersion"), Mesh},
		{conditionPath(v1alpha1.ConditionReady), Mesh},
		{conditionPath(v1alpha1.ConditionCertificatesReady), Certificates},
		{conditionPath(v1alpha1.ConditionTrustDistributed), Trust},
		{conditionPath("OfAnEarlierVersion"), Mesh},
		{fieldpath.MakePathOrDie("status", "ofAnEarlierVersion"), Mesh},
		{fieldpath.MakePathOrDie("status"), Mesh},
	} {
		if got := ownerOf(c.path); got.Manager != c.want.Manager {
			t.Errorf("%s belongs to %s, want %s", c.path, got.Manager, c.want.Manager)
		}
	}
}

// entry is what a manager owns of a status.
func entry(t *testing.T, manager string, operation metav1.ManagedFieldsOperationType, paths ...fieldpath.Path) metav1.ManagedFieldsEntry {
	t.Helper()
	text, err := fieldpath.NewSet(paths...).ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: "status", APIVersion: v1alpha1.GroupVersion.String(), FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(string(text)),
	}
}

func TestDivided_GivesEachOwnerItsFields(t *testing.T) {
	upgrade, version := fieldpath.MakePathOrDie("status", "upgrade", "phase"), fieldpath.MakePathOrDie("status", "version")
	ready, certificates := conditionPath(v1alpha1.ConditionReady), conditionPath(v1alpha1.ConditionCertificatesReady)
	user := entry(t, "kubectl", metav1.ManagedFieldsOperationUpdate, fieldpath.MakePathOrDie("spec", "version"))
	legacy := entry(t, apply.FieldManager, metav1.ManagedFieldsOperationUpdate, upgrade, ready, certificates)
	own := entry(t, Rollout.Manager, metav1.ManagedFieldsOperationApply, version)
	if !isLegacy(legacy) || isLegacy(user) || isLegacy(own) {
		t.Fatal("the entry of an earlier operator is not told from others")
	}
	got, err := divided([]metav1.ManagedFieldsEntry{user, legacy, own}, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*fieldpath.Set{
		"kubectl": fieldpath.NewSet(fieldpath.MakePathOrDie("spec", "version")), Mesh.Manager: fieldpath.NewSet(ready),
		Certificates.Manager: fieldpath.NewSet(certificates), Rollout.Manager: fieldpath.NewSet(upgrade, version),
	}
	if len(got) != len(want) {
		t.Errorf("there are %d entries, want %d: %+v", len(got), len(want), got)
	}
	for _, e := range got {
		set, err := setOf(e)
		if err != nil {
			t.Fatal(err)
		}
		if want[e.Manager] == nil || !set.Equals(want[e.Manager]) {
			t.Errorf("%s owns %s, want %s", e.Manager, set, want[e.Manager])
		}
		if strings.HasPrefix(e.Manager, "osm-operator") && e.Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("the entry of %s is one of %s", e.Manager, e.Operation)
		}
	}
}

func TestDivided_RejectsUnreadableFields(t *testing.T) {
	broken := metav1.ManagedFieldsEntry{Manager: apply.FieldManager, FieldsV1: metav1.NewFieldsV1("{")}
	if _, err := divided([]metav1.ManagedFieldsEntry{broken}, 0); err == nil {
		t.Error("fields that are no JSON were divided")
	}
}

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
	wanted := &v1alpha1.MeshStatus{
		DesiredVersion: "not of this owner", Version: "v2",
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}, {Type: v1alpha1.ConditionUpgrading, Status: metav1.ConditionFalse}},
	}
	got, err := merge(Rollout, before, wanted)
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
