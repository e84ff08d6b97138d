package upgrade

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

func TestRoleIn(t *testing.T) {
	for _, c := range []struct {
		active, canary string
		want           v1alpha1.Role
	}{
		{"new", "", v1alpha1.RoleActive},
		{"old", "new", v1alpha1.RoleCanary},
		{"new", "new", v1alpha1.RolePromoting},
		{"old", "", v1alpha1.RoleStandby},
		{"old", "newer", v1alpha1.RoleStandby},
	} {
		if got := roleIn(rollout.Plan{Active: c.active, Canary: c.canary}, "new"); got != c.want {
			t.Errorf("with active revision %q and canary %q the role is %s, want %s", c.active, c.canary, got, c.want)
		}
	}
}

// What a revision answers with counts only in a role with an injector of its own, which it has taken.
func TestCanaryAnswers(t *testing.T) {
	for _, c := range []struct {
		spec, status v1alpha1.Role
		ready        int32
		want         bool
	}{
		{v1alpha1.RoleCanary, v1alpha1.RoleCanary, 1, true},
		{v1alpha1.RolePromoting, v1alpha1.RoleCanary, 1, true},
		{v1alpha1.RoleCanary, v1alpha1.RoleCanary, 0, false},
		{v1alpha1.RoleCanary, v1alpha1.RoleActive, 2, false},
		{v1alpha1.RoleActive, v1alpha1.RolePromoting, 2, false},
	} {
		revision := &v1alpha1.MeshRevision{}
		revision.Spec.Role, revision.Status.Role, revision.Status.Injector.Ready = c.spec, c.status, c.ready
		if got := canaryAnswers(revision); got != c.want {
			t.Errorf("%+v: answers is %v", c, got)
		}
	}
}

// The names of the Services of a canary contain its version, and their length is limited.
func TestCheckCanary_LimitsTheNamesOfServices(t *testing.T) {
	for version, want := range map[string]string{
		"v0.4.0": "", "v0.4.0-" + strings.Repeat("x", 50): "set spec.upgrade.strategy.type to InPlace",
	} {
		p := &pass{
			mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}, desired: desired.Mesh{Name: "osm", Version: version},
			chosen: desired.Choice{Name: desired.RevisionName("osm", version)},
		}
		if err := checkCanary(p); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("version %s: %v, want %q", version, err, want)
		}
	}
}

// While a revision is a canary, only its own sidecars are connected to it. Those of another mesh, and pods that do not run, never are.
func TestSidecarsOfTheMeshMustBeConnected(t *testing.T) {
	workloads := []rollout.Workload{
		runningSidecars("shop", "osm-v0-1-0", "osm-v0-1-0", "osm-v0-1-0"), runningSidecars("bank", "osm-v0-2-0", "osm-v0-2-0", "osm-v0-1-0"),
		runningSidecars("elsewhere", "other-v0-2-0"),
		{Sidecars: map[string]int{"osm-v0-2-0": 7}},
	}
	for _, c := range []struct {
		active, canary string
		want           int
	}{{"osm-v0-1-0", "osm-v0-2-0", 2}, {"osm-v0-2-0", "osm-v0-2-0", 6}, {"osm-v0-2-0", "", 6}} {
		p := &pass{mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}}
		p.situation = rollout.Situation{Desired: "osm-v0-2-0", Active: c.active, Canary: c.canary, Workloads: workloads}
		if got := len(p.connection(&health.Proxies{}).Expected); got != c.want {
			t.Errorf("with active revision %s and canary %q %d sidecars are expected, want %d", c.active, c.canary, got, c.want)
		}
	}
}

// A role that was taken after the pods were ready begins when it was taken: restarts from before are not of this step.
func TestInRoleSince(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	later := metav1.NewTime(noon.Add(time.Minute))
	revision := &v1alpha1.MeshRevision{}
	revision.Spec.Role, revision.Status.Role, revision.Status.RoleStartTime = v1alpha1.RoleActive, v1alpha1.RoleActive, &later
	if got := inRoleSince(revision); !got.IsZero() {
		t.Errorf("a revision that is not ready is in its role since %s", got)
	}
	revision.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}}
	if got := inRoleSince(revision); !got.Equal(later.Time) {
		t.Errorf("in its role since %s, want %s", got, later)
	}
}
