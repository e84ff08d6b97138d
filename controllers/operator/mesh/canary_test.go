package mesh

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

func TestRoleIn(t *testing.T) {
	for _, c := range []struct {
		base, beside string
		want         v1alpha1.Role
	}{
		{"new", "", v1alpha1.RoleBase},
		{"old", "new", v1alpha1.RoleBeside},
		{"new", "new", v1alpha1.RolePromoting},
		{"old", "", v1alpha1.RoleStandby},
		{"old", "newer", v1alpha1.RoleStandby},
	} {
		if got := roleIn(rollout.Plan{Base: c.base, Beside: c.beside}, "new"); got != c.want {
			t.Errorf("with base %q and beside %q the role is %s, want %s", c.base, c.beside, got, c.want)
		}
	}
}

func TestRevisionBeside(t *testing.T) {
	for service, want := range map[string]string{
		"osm-controller-v0-2-0": "osm-v0-2-0", "osm-controller": "", "osm-controller-report": "", "osm-controller-report-v0-2-0": "",
		"osm-controller-metrics": "", "osm-injector-v0-2-0": "",
	} {
		if got := revisionBeside("osm", names.Controller, service); got != want {
			t.Errorf("Service %s belongs to %q, want %q", service, got, want)
		}
	}
}

// What a revision answers with counts only in a role with an injector of its own, which it has taken.
func TestAnswersBeside(t *testing.T) {
	for _, c := range []struct {
		spec, status v1alpha1.Role
		ready        int32
		want         bool
	}{
		{v1alpha1.RoleBeside, v1alpha1.RoleBeside, 1, true},
		{v1alpha1.RolePromoting, v1alpha1.RoleBeside, 1, true},
		{v1alpha1.RoleBeside, v1alpha1.RoleBeside, 0, false},
		{v1alpha1.RoleBeside, v1alpha1.RoleBase, 2, false},
		{v1alpha1.RoleBase, v1alpha1.RolePromoting, 2, false},
	} {
		revision := &v1alpha1.MeshRevision{}
		revision.Spec.Role, revision.Status.Role, revision.Status.Injector.Ready = c.spec, c.status, c.ready
		if got := answersBeside(revision); got != c.want {
			t.Errorf("%+v: answers is %v", c, got)
		}
	}
}

func TestSuffixes(t *testing.T) {
	for role, want := range map[v1alpha1.Role][]string{
		"": {""}, v1alpha1.RoleBase: {""}, v1alpha1.RoleBeside: {"v0-2-0"}, v1alpha1.RolePromoting: {"", "v0-2-0"}, v1alpha1.RoleStandby: nil,
	} {
		revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-2-0"}}
		revision.Spec.Mesh, revision.Spec.Role = "osm", role
		if got := suffixes(revision); !slices.Equal(got, want) {
			t.Errorf("role %q runs %q, want %q", role, got, want)
		}
	}
}

// While a revision is tried beside another, only its own sidecars are connected to it.
func TestExpectedSidecars(t *testing.T) {
	workloads := []rollout.Workload{
		{Sidecars: map[string]int{"osm-v0-1-0": 3}}, {Sidecars: map[string]int{"osm-v0-2-0": 2, "osm-v0-1-0": 1}},
	}
	for _, c := range []struct {
		base, beside string
		want         int
	}{{"osm-v0-1-0", "osm-v0-2-0", 2}, {"osm-v0-2-0", "osm-v0-2-0", 6}, {"osm-v0-2-0", "", 6}} {
		s := &scope{mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}}
		s.situation = rollout.Situation{Wanted: "osm-v0-2-0", Base: c.base, Beside: c.beside, Workloads: workloads}
		if got := s.expected(); got != c.want {
			t.Errorf("with base %s and beside %q %d sidecars are expected, want %d", c.base, c.beside, got, c.want)
		}
	}
}

// A role that was taken after the pods were ready begins when it was taken: restarts from before are not of this step.
func TestInRoleSince(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	later := metav1.NewTime(noon.Add(time.Minute))
	revision := &v1alpha1.MeshRevision{}
	revision.Spec.Role, revision.Status.Role, revision.Status.RoleSince = v1alpha1.RoleBase, v1alpha1.RoleBase, &later
	if got := inRoleSince(revision); !got.IsZero() {
		t.Errorf("a revision that is not ready is in its role since %s", got)
	}
	revision.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}}
	if got := inRoleSince(revision); !got.Equal(later.Time) {
		t.Errorf("in its role since %s, want %s", got, later)
	}
}
