package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestConflictsOfStatusWrites lets the API server reject a status. Conflicts stay recognizable, so that the controller tries again without
// an error in its log, and a Mesh that is gone needs no status.
func TestConflictsOfStatusWrites(t *testing.T) {
	meshes := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "meshes"}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		answer             error
		conflict, fails    bool
		written, unchanged bool
	}{
		"accepted":  {nil, false, false, true, false},
		"conflict":  {apierrors.NewConflict(meshes, "osm", errors.New("changed")), true, true, false, false},
		"forbidden": {apierrors.NewForbidden(meshes, "osm", errors.New("no")), false, true, false, false},
		"gone":      {apierrors.NewNotFound(meshes, "osm"), false, false, false, false},
		"unchanged": {errors.New("must not be sent"), false, false, false, true},
	} {
		requests := 0
		c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
			SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
				requests++
				return test.answer
			},
		}).Build()
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
		desired := mesh.Status.DeepCopy()
		if !test.unchanged {
			desired.DesiredVersion = "v0.3.0"
		}
		written, err := NewWriter(c).Write(t.Context(), Mesh, mesh, desired)
		if (err != nil) != test.fails || apierrors.IsConflict(err) != test.conflict || (written != nil) != test.written || (requests > 0) == test.unchanged {
			t.Errorf("%s: %d requests, written %t, error %v; want written %t, an error %t, a conflict %t", name, requests, written != nil, err,
				test.written, test.fails, test.conflict)
		}
		if written != nil && (written.Status.DesiredVersion != "v0.3.0" || mesh.Status.DesiredVersion != "") {
			t.Errorf("%s: the Mesh has version %q after the write and %q before, want v0.3.0 and none", name, written.Status.DesiredVersion, mesh.Status.DesiredVersion)
		}
	}
}

// TestStatusOfAnotherMeshIsTakenBack writes the status of a Mesh that was deleted while another one of its name was created. The API server ignores the UID in
// a status, so the new Mesh has it until the writer removes it.
func TestStatusOfAnotherMeshIsTakenBack(t *testing.T) {
	var sent []string
	w := NewWriter(interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
		SubResourceApply: func(_ context.Context, _ client.Client, _ string, object runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
			content, err := json.Marshal(object)
			if err != nil {
				return err
			}
			sent = append(sent, string(content))
			return json.Unmarshal([]byte(`{"apiVersion":"operator.openservicemesh.io/v1alpha1","kind":"Mesh","metadata":{"name":"osm","uid":"2","resourceVersion":"8"}}`), object)
		},
	}))
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
	written, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{DesiredVersion: "v0.3.0"})
	if written != nil || err != nil || len(sent) != 2 || !strings.Contains(sent[1], `"status":{}`) {
		t.Errorf("written %t, error %v, sent %v; want nothing written, and the status taken back", written != nil, err, sent)
	}
}

// TestOutdatedStatusIsNotSent checks that a status that was computed from an outdated Mesh is a conflict without a request.
func TestOutdatedStatusIsNotSent(t *testing.T) {
	w := NewWriter(interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
		SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
			t.Error("an outdated status is sent")
			return nil
		},
	}))
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
	w.latest.record(Mesh, mesh, "9")
	if _, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{DesiredVersion: "v0.3.0"}); !apierrors.IsConflict(err) {
		t.Errorf("the write of a status from version 7, after one that made version 9, returns %v, want a conflict", err)
	}
}

// TestOutdatedStatusIsNotTakenForTheWrittenOne checks that a status is not left as it is because it equals that of an outdated Mesh: the last write has made
// it another one, and no event would correct it.
func TestOutdatedStatusIsNotTakenForTheWrittenOne(t *testing.T) {
	w := NewWriter(fake.NewFakeClient())
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
	if _, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{}); err != nil {
		t.Fatalf("before the first write: %v", err)
	}
	w.latest.record(Mesh, mesh, "9")
	if _, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{}); !apierrors.IsConflict(err) {
		t.Errorf("the write of the status of version 7, after one that made version 9, returns %v, want a conflict", err)
	}
}

// TestRestoredClusterIsWrittenAgain checks that a Mesh whose version is below that of the last write, as after a restore of etcd, is written in the
// end: the memory of this process is wrong then, and no read will ever be new enough.
func TestRestoredClusterIsWrittenAgain(t *testing.T) {
	sent := 0
	w := NewWriter(interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
		SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
			sent++
			return nil
		},
	}))
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
	w.latest.record(Mesh, mesh, "900")
	for range mostStale {
		if _, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{DesiredVersion: "v0.3.0"}); !apierrors.IsConflict(err) {
			t.Fatalf("the write returns %v, want a conflict while the cache may lag", err)
		}
	}
	if _, err := w.Write(t.Context(), Mesh, mesh, &v1alpha1.MeshStatus{DesiredVersion: "v0.3.0"}); err != nil || sent != 1 {
		t.Errorf("after %d conflicts: %d requests, error %v; want one request", mostStale, sent, err)
	}
}

// TestConditionsWaitForTheSummary writes to a Mesh without the condition Ready, as a restored one is that owns a running control plane. What precedes objects
// is written; a condition is not, because tools would take the Mesh for complete.
func TestConditionsWaitForTheSummary(t *testing.T) {
	for name, test := range map[string]struct {
		owner      Owner
		summarized bool
		want       string
	}{
		"no summary":             {Components, false, `{"components":[{"name":"jaeger","ready":false}]}`},
		"summary":                {Components, true, `{"components":[{"name":"jaeger","ready":false}],"conditions":[ComponentsReady]}`},
		"owner without a field":  {Trust, false, ""},
		"owner of the summary":   {Mesh, false, `{"conditions":[Ready]}`},
		"later owner, summary":   {Trust, true, `{"conditions":[TrustDistributed]}`},
		"adoption, no summary":   {Takeover, false, `{"adoption":{"earlierSidecars":0,"from":"osm-system","sidecars":0}}`},
		"adoption, with summary": {Takeover, true, `{"adoption":{"earlierSidecars":0,"from":"osm-system","sidecars":0},"conditions":[Adopting]}`},
	} {
		sent := ""
		w := NewWriter(interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
			SubResourceApply: func(_ context.Context, _ client.Client, _ string, object runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
				sent = describePart(t, object)
				return nil
			},
		}))
		mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: "1", ResourceVersion: "7"}}
		if test.summarized {
			mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady}}
		}
		desired := mesh.Status.DeepCopy()
		desired.Components = []v1alpha1.ComponentStatus{{Name: "jaeger"}}
		desired.Adoption = &v1alpha1.AdoptionStatus{From: "osm-system"}
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionComponentsReady, v1alpha1.ConditionTrustDistributed, v1alpha1.ConditionAdopting} {
			meta.SetStatusCondition(&desired.Conditions, metav1.Condition{Type: kind})
		}
		written, err := w.Write(t.Context(), test.owner, mesh, desired)
		if err != nil || sent != test.want {
			t.Errorf("%s: sent %s, error %v; want %s", name, sent, err, test.want)
		}
		if written != nil && !test.summarized && test.owner.Early && len(written.Status.Conditions) > 0 {
			t.Errorf("%s: the written status has the conditions %v, want none", name, written.Status.Conditions)
		}
	}
}

// describePart is the JSON of a sent status, with the types of its conditions alone.
func describePart(t *testing.T, object runtime.ApplyConfiguration) string {
	t.Helper()
	content, err := json.Marshal(object)
	var sent struct {
		Status map[string]json.RawMessage `json:"status"`
	}
	if err == nil {
		err = json.Unmarshal(content, &sent)
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(sent.Status)) {
		value := string(sent.Status[field])
		if field == "conditions" {
			var list []metav1.Condition
			err = errors.Join(err, json.Unmarshal(sent.Status[field], &list))
			kinds := make([]string, len(list))
			for i := range list {
				kinds[i] = list[i].Type
			}
			value = "[" + strings.Join(kinds, ",") + "]"
		}
		parts = append(parts, fmt.Sprintf("%q:%s", field, value))
	}
	if err != nil {
		t.Fatalf("the sent status %s: %v", content, err)
	}
	return "{" + strings.Join(parts, ",") + "}"
}
