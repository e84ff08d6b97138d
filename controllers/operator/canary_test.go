package operator_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// canarySuffix is what the names of a canary of operatorVersion end with.
const canarySuffix = "v0-1-0"

// besideOf are objects that only exist while a canary runs.
func besideOf(mesh string) []client.Object {
	controller, injector := names.Controller+"-"+canarySuffix, names.Injector+"-"+canarySuffix
	return []client.Object{
		&appsv1.Deployment{ObjectMeta: inHome(mesh, controller)}, &appsv1.Deployment{ObjectMeta: inHome(mesh, injector)},
		&policyv1.PodDisruptionBudget{ObjectMeta: inHome(mesh, controller)},
		&corev1.ServiceAccount{ObjectMeta: inHome(mesh, controller)}, &corev1.ServiceAccount{ObjectMeta: inHome(mesh, injector)},
		&rbacv1.RoleBinding{ObjectMeta: inHome(mesh, controller)},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: controller + "-" + mesh}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: injector + "-" + mesh}},
		&corev1.Service{ObjectMeta: inHome(mesh, injector)}, &corev1.Service{ObjectMeta: inHome(mesh, names.Controller+"-report-"+canarySuffix)},
		&corev1.Secret{ObjectMeta: inHome(mesh, secrets.CanaryCert)},
	}
}

// alias is the Service by which sidecars of a canary find their control plane.
func alias(mesh string) *corev1.Service {
	return &corev1.Service{ObjectMeta: inHome(mesh, names.Controller+"-"+canarySuffix)}
}

// leadsTo waits until the alias leads to pods with an app label.
func leadsTo(t *testing.T, mesh, app string) {
	t.Helper()
	waitFor(t, alias(mesh), func(s *corev1.Service) error {
		if got := s.Spec.Selector[names.AppLabel]; got != app {
			return fmt.Errorf("the Service %s leads to %s, want %s", s.Name, got, app)
		}
		return nil
	})
}

// waitPhase waits until an upgrade is in a phase.
func waitPhase(t *testing.T, mesh *v1alpha1.Mesh, phase string) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		if u := mesh.Status.Upgrade; u == nil || u.Phase != phase {
			return fmt.Errorf("the upgrade is %+v, want phase %s", u, phase)
		}
		return nil
	})
}

// rolesAre waits until the revisions of a mesh have these roles, as its status tells.
func rolesAre(t *testing.T, mesh *v1alpha1.Mesh, want map[string]v1alpha1.Role) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		have := map[string]v1alpha1.Role{}
		for _, r := range mesh.Status.Revisions {
			have[r.Version] = r.Role
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Errorf("the roles are %v, want %v", have, want)
		}
		return nil
	})
}

// inOrder sees that phases came in an order, whatever came between.
func inOrder(t *testing.T, have []string, want ...string) {
	t.Helper()
	i := 0
	for _, phase := range have {
		if i < len(want) && phase == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("the phases were %v, want %v in this order", have, want)
	}
}

func TestACanaryIsTriedFirstAndThenTakesOver(t *testing.T) {
	const name, first, rest = "canary", "canary-first", "canary-rest"
	mesh := readyMesh(t, name, trying(first))
	m := openMall(t, name, map[string][]string{first: {"cart"}, rest: {"pay", "search"}})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	m.wait(first, "canary-v0-1-0")
	m.wait(rest, "canary-v0-1-0")
	waitReady(t, mesh)
	history(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	inOrder(t, cluster.linter.phasesOf(name), "CanaryControlPlane", "CanaryWorkloads", "ControlPlane", "Workloads")
	for i, move := range m.moved() {
		if early := move.namespace != first && move.base != "canary-v0-1-0"; early || i == 0 && (move.namespace != first || move.base != "canary-v0-0-9") {
			t.Errorf("%+v: want the chosen namespace before the promotion and the others after it; all moves: %+v", move, m.moved())
		}
		if move.sidecar != "canary-v0-1-0" {
			t.Errorf("a restart gave sidecars of %s", move.sidecar)
		}
	}
	if len(m.moved()) != 3 {
		t.Errorf("restarts: %+v, want each workload once", m.moved())
	}

	// What ran beside is gone, except for the name that the first sidecars know.
	runs(t, name, operatorVersion)
	for _, object := range besideOf(name) {
		waitGone(t, object)
	}
	leadsTo(t, name, names.Controller)
	webhooks(t, name, 1)
	waitEvent(t, "canary-v0-1-0", "CanaryInjects", first)
	waitEvent(t, "canary-v0-1-0", "CanaryWithdrawn", "no longer")
	quietFor(t, 2*time.Second, cluster.writes.count.Load())

	// The name stays until no sidecar can know it any more.
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Version, m.Spec.Upgrade.Strategy, m.Spec.Upgrade.Canary = ptr.To(olderVersion), nil, nil
	})
	m.wait(first, "canary-v0-0-9")
	waitGone(t, alias(name))
	waitReady(t, mesh)
}

func TestACanaryThatFailsTouchesOnlyTheChosen(t *testing.T) {
	const name, first, rest = "canaryill", "canaryill-first", "canaryill-rest"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		trying(first)(spec)
		spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
		// The second wave does not come before the test has looked at the first.
		spec.Upgrade.DataPlane.PauseBetween = &metav1.Duration{Duration: time.Minute}
	})
	m := openMall(t, name, map[string][]string{first: {"cart", "search"}, rest: {"pay"}})
	before := &appsv1.Deployment{ObjectMeta: inHome(name, names.Controller)}
	get(t, before)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	m.waitSome(first, "canaryill-v0-1-0", 1)
	waitPhase(t, mesh, "CanaryWorkloads")
	rolesAre(t, mesh, map[string]v1alpha1.Role{olderVersion: v1alpha1.RoleBase, operatorVersion: v1alpha1.RoleBeside})
	leadsTo(t, name, names.Controller+"-"+canarySuffix)
	eventually(t, func() error {
		get(t, mesh)
		if p := mesh.Status.Proxies; p.Total != 3 || p.Outdated != 1 {
			return fmt.Errorf("the status counts %+v, want 3 sidecars, of which one is not yet of the canary", p)
		}
		return nil
	})

	failing := healthy()
	failing.Requests = &rollout.Requests{Issued: 100, Failed: 50}
	cluster.patient.becomes(home(name), operatorVersion, failing)
	m.wait(first, "canaryill-v0-0-9")
	entry := history(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	mention(t, entry.Reason, "ErrorRate", "50.00%")
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	for _, object := range besideOf(name) {
		waitGone(t, object)
	}
	leadsTo(t, name, names.Controller)
	for _, move := range m.moved() {
		if move.namespace != first || move.base != "canaryill-v0-0-9" {
			t.Errorf("%+v: want only the chosen namespace touched, and the mesh's own control plane never", move)
		}
	}
	after := &appsv1.Deployment{ObjectMeta: inHome(name, names.Controller)}
	get(t, after)
	if after.UID != before.UID || after.Generation != before.Generation {
		t.Errorf("the mesh's own Deployment was changed: generation %d, was %d", after.Generation, before.Generation)
	}

	// Somebody who deletes the name that sidecars of the canary know has it back.
	if err := cluster.client.Delete(t.Context(), alias(name)); err != nil {
		t.Fatal(err)
	}
	leadsTo(t, name, names.Controller)

	// Another spec is another try, and the same name leads to the canary again.
	cluster.patient.becomes(home(name), operatorVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Upgrade.DataPlane.PauseBetween = &metav1.Duration{} })
	m.wait(rest, "canaryill-v0-1-0")
	waitReady(t, mesh)
}

// stages are the phases of a canary in which a test can stop it: arrange is called before the upgrade, resume after it has stopped.
var stages = map[string]struct {
	phase           string
	arrange, resume func(name string, spec *v1alpha1.MeshSpec)
}{
	"starting": {
		"CanaryControlPlane",
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(home(name), names.Injector+"-"+canarySuffix, true)
		},
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(home(name), names.Injector+"-"+canarySuffix, false)
		},
	},
	"moving": {
		"CanaryWorkloads",
		func(_ string, spec *v1alpha1.MeshSpec) {
			spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
			spec.Upgrade.DataPlane.PauseBetween = &metav1.Duration{Duration: time.Minute}
		},
		func(_ string, spec *v1alpha1.MeshSpec) { spec.Upgrade.DataPlane.PauseBetween = &metav1.Duration{} },
	},
	"promoting": {
		"ControlPlane",
		// The mesh's own pods are ready once, with the first version.
		func(name string, _ *v1alpha1.MeshSpec) { cluster.kubelet.hold(home(name), names.Controller, true) },
		func(name string, _ *v1alpha1.MeshSpec) { cluster.kubelet.hold(home(name), names.Controller, false) },
	},
}

// trial is a mesh whose canary comes to stand still in a stage.
type trial struct {
	name, stage string
	mesh        *v1alpha1.Mesh
	mall        *mall
}

// begin begins a trial, and does not wait.
func begin(t *testing.T, name, stage string) *trial {
	t.Helper()
	first := name + "-first"
	mesh := readyMesh(t, name, trying(first))
	m := openMall(t, name, map[string][]string{first: {"cart", "search"}, name + "-rest": {"pay"}})
	change(t, mesh, func(m *v1alpha1.Mesh) {
		stages[stage].arrange(name, &m.Spec)
		m.Spec.Version = ptr.To(operatorVersion)
	})
	return &trial{name, stage, mesh, m}
}

// stop waits until it stands still.
func (c *trial) stop(t *testing.T) {
	t.Helper()
	switch c.stage {
	case "starting":
		waitFor(t, &appsv1.Deployment{ObjectMeta: inHome(c.name, names.Controller+"-"+canarySuffix)}, func(*appsv1.Deployment) error { return nil })
	case "moving":
		c.mall.waitSome(c.name+"-first", c.name+"-v0-1-0", 1)
	case "promoting":
		c.mall.wait(c.name+"-first", c.name+"-v0-1-0")
	}
	waitPhase(t, c.mesh, stages[c.stage].phase)
}

// each begins a trial for each stage, and waits for all.
func each(t *testing.T, prefix string) []*trial {
	t.Helper()
	var trials []*trial
	for _, stage := range slices.Sorted(maps.Keys(stages)) {
		trials = append(trials, begin(t, prefix+stage, stage))
	}
	for _, c := range trials {
		c.stop(t)
	}
	return trials
}

func TestAMeshIsRemovedInTheMiddleOfACanary(t *testing.T) {
	trials := each(t, "gone")
	for _, c := range trials {
		if err := cluster.client.Delete(t.Context(), c.mesh); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range trials {
		waitCondition(t, c.mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
		// As long as sidecars are left, so is what they need.
		get(t, &appsv1.Deployment{ObjectMeta: inHome(c.name, names.Controller+"-"+canarySuffix)})
		c.mall.demolish()
	}
	for _, c := range trials {
		// Each kind of object goes in a step of its own.
		within(t, upgradePatience, func() error {
			found, err := exists(t.Context(), c.mesh)
			if err == nil && found {
				err = fmt.Errorf("Mesh %s is still there: %+v", c.name, c.mesh.Status.Conditions)
			}
			return err
		})
		left := append(besideOf(c.name), alias(c.name),
			&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(c.name)}},
			&corev1.Service{ObjectMeta: inHome(c.name, names.Controller)}, &appsv1.Deployment{ObjectMeta: inHome(c.name, names.Controller)},
			&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: c.name + "-v0-1-0"}}, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: c.name + "-v0-0-9"}})
		for _, object := range left {
			if found, err := exists(t.Context(), object); err != nil || found {
				t.Errorf("removed while %s: %T %s was left behind (%v)", c.stage, object, object.GetName(), err)
			}
		}
	}
}

// What an operator knows is in the cluster: one that is replaced in any phase goes on.
func TestACanaryGoesOnWithAnotherOperator(t *testing.T) {
	trials := each(t, "next")
	before := map[string][]move{}
	for _, c := range trials {
		before[c.name] = c.mall.moved()
	}
	cluster.restart(t)
	for _, c := range trials {
		waitPhase(t, c.mesh, stages[c.stage].phase)
		change(t, c.mesh, func(m *v1alpha1.Mesh) { stages[c.stage].resume(c.name, &m.Spec) })
	}
	for _, c := range trials {
		c.mall.wait(c.name+"-first", c.name+"-v0-1-0")
		c.mall.wait(c.name+"-rest", c.name+"-v0-1-0")
		waitReady(t, c.mesh)
		if moves := c.mall.moved(); len(moves) != 3 || !slices.Equal(moves[:len(before[c.name])], before[c.name]) {
			t.Errorf("replaced while %s: restarts %+v, want each workload once", c.stage, moves)
		}
	}
}

// halted is a canary of which one of two workloads has moved.
func halted(t *testing.T, name string) (*v1alpha1.Mesh, *mall) {
	t.Helper()
	c := begin(t, name, "moving")
	c.stop(t)
	return c.mesh, c.mall
}

// webhooks waits until a mesh has so many webhooks for injection.
func webhooks(t *testing.T, mesh string, want int) {
	t.Helper()
	waitFor(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(mesh)}}, func(c *admissionv1.MutatingWebhookConfiguration) error {
		if len(c.Webhooks) != want {
			return fmt.Errorf("there are %d webhooks, want %d", len(c.Webhooks), want)
		}
		return nil
	})
}

// Pods of the chosen namespaces must start, also while no injector of the canary answers.
func TestACanaryThatDoesNotAnswerIsNotAsked(t *testing.T) {
	const name = "canarysilent"
	_, m := halted(t, name)
	webhooks(t, name, 2)
	injector := &appsv1.Deployment{ObjectMeta: inHome(name, names.Injector+"-"+canarySuffix)}
	answering := func(pods int32) {
		eventually(t, func() error {
			get(t, injector)
			injector.Status.ReadyReplicas, injector.Status.AvailableReplicas = pods, pods
			return cluster.client.Status().Update(t.Context(), injector)
		})
	}
	answering(0)
	webhooks(t, name, 1)
	m.waitSome(name+"-first", name+"-v0-1-0", 1)
	answering(2)
	webhooks(t, name, 2)
}

func TestPeopleLeaveACanary(t *testing.T) {
	returned, m := halted(t, "canaryleft")
	onwards, n := halted(t, "canaryother")
	// The version that still runs the mesh is wanted again, and a third version while the second is tried.
	change(t, returned, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	change(t, onwards, func(m *v1alpha1.Mesh) {
		m.Spec.Version, m.Spec.Upgrade.DataPlane.PauseBetween = ptr.To(latestVersion), &metav1.Duration{}
	})
	m.wait("canaryleft-first", "canaryleft-v0-0-9")
	waitReady(t, returned)
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "canaryleft-v0-1-0"}})
	waitGone(t, alias("canaryleft"))
	for _, namespace := range []string{"canaryother-first", "canaryother-rest"} {
		n.wait(namespace, "canaryother-v0-1-1")
	}
	waitReady(t, onwards)
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "canaryother-v0-1-0"}})
	waitGone(t, alias("canaryother"))
}

func TestACanaryCanBePaused(t *testing.T) {
	const name = "canarypaused"
	mesh, m := halted(t, name)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	failing := healthy()
	failing.Restarts = 9
	cluster.patient.becomes(home(name), operatorVersion, failing)
	quietFor(t, 3*time.Second, cluster.writes.count.Load())
	m.waitSome(name+"-first", name+"-v0-1-0", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = nil })
	m.wait(name+"-first", name+"-v0-0-9")
	history(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
}

func TestACanaryOfNobodyHalts(t *testing.T) {
	const name, first = "canarynobody", "canarynobody-first"
	mesh := readyMesh(t, name, trying(first))
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUpgradeHalted)
	mention(t, condition.Message, "no namespace of the mesh", "spec.upgrade.canary.namespaces")
	runs(t, name, olderVersion)
	// A namespace that joins later is enough.
	m := openMall(t, name, map[string][]string{first: {"cart"}})
	m.wait(first, name+"-v0-1-0")
	waitReady(t, mesh)
}

func TestAVersionWithoutTheFlagsIsNoCanary(t *testing.T) {
	const name = "canaryold"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { trying(name + "-first")(spec); spec.Version = ptr.To(operatorVersion) })
	openMall(t, name, map[string][]string{name + "-first": {"cart"}})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(ancientVersion) })
	condition := waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUpgradeHalted)
	mention(t, condition.Message, ancientVersion, "InPlace")
	runs(t, name, operatorVersion)
}

func TestWhoIsFirstMustBeSaid(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*v1alpha1.UpgradeSpec)
		want string
	}{
		"nobody":   {func(u *v1alpha1.UpgradeSpec) { u.Canary = nil }, "does not say who is first"},
		"everyone": {func(u *v1alpha1.UpgradeSpec) { u.Canary.Namespaces = metav1.LabelSelector{} }, "every namespace of the mesh"},
		"no need":  {func(u *v1alpha1.UpgradeSpec) { u.Strategy = nil }, "means nothing with the strategy InPlace"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "canaryrefused"}}
			trying("shop")(&mesh.Spec)
			c.edit(mesh.Spec.Upgrade)
			err := cluster.client.Create(t.Context(), mesh)
			if err == nil {
				t.Fatal("was accepted")
			}
			mention(t, err.Error(), c.want)
		})
	}
}
