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
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// canarySuffix is the suffix of the object names of a canary with operatorVersion.
const canarySuffix = "v0-1-0"

// canaryObjects returns objects that exist only while a canary runs.
func canaryObjects(mesh string) []client.Object {
	controller, injector := names.Controller+"-"+canarySuffix, names.Injector+"-"+canarySuffix
	return []client.Object{
		&appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, controller)}, &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, injector)},
		&policyv1.PodDisruptionBudget{ObjectMeta: inMeshNamespace(mesh, controller)},
		&corev1.ServiceAccount{ObjectMeta: inMeshNamespace(mesh, controller)}, &corev1.ServiceAccount{ObjectMeta: inMeshNamespace(mesh, injector)},
		&rbacv1.RoleBinding{ObjectMeta: inMeshNamespace(mesh, controller)},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: controller + "-" + mesh}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: injector + "-" + mesh}},
		&corev1.Service{ObjectMeta: inMeshNamespace(mesh, injector)}, &corev1.Service{ObjectMeta: inMeshNamespace(mesh, names.Controller+"-report-"+canarySuffix)},
		&corev1.Secret{ObjectMeta: inMeshNamespace(mesh, secrets.CanaryCert)},
	}
}

// canaryService returns the Service at which sidecars of a canary reach their control plane.
func canaryService(mesh string) *corev1.Service {
	return &corev1.Service{ObjectMeta: inMeshNamespace(mesh, names.Controller+"-"+canarySuffix)}
}

// waitSelector waits until the canary Service selects pods with an app label.
func waitSelector(t *testing.T, mesh, app string) {
	t.Helper()
	waitFor(t, canaryService(mesh), func(s *corev1.Service) error {
		if got := s.Spec.Selector[names.AppLabel]; got != app {
			return fmt.Errorf("the Service %s selects %s, want %s", s.Name, got, app)
		}
		return nil
	})
}

// waitPhase waits until an upgrade is in a phase.
func waitPhase(t *testing.T, mesh *v1alpha1.Mesh, phase v1alpha1.UpgradePhase) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		if u := mesh.Status.Upgrade; u == nil || u.Phase != phase {
			return fmt.Errorf("the upgrade is %+v, want phase %s", u, phase)
		}
		return nil
	})
}

// waitRoles waits until the status of a mesh has these roles for its revisions.
func waitRoles(t *testing.T, mesh *v1alpha1.Mesh, want map[string]v1alpha1.Role) {
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

// checkPhaseOrder checks that the desired phases occurred in this order. Other phases may be between them.
func checkPhaseOrder(t *testing.T, have []v1alpha1.UpgradePhase, want ...v1alpha1.UpgradePhase) {
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

func TestCanaryIsVerifiedAndPromoted(t *testing.T) {
	t.Parallel()
	const name, first, rest = "canarywell", "canarywell-first", "canarywell-rest"
	mesh := readyMesh(t, name, canaryIn(first))
	m := newCanaryWorkloads(t, name, map[string][]string{first: {"cart"}, rest: {"pay", "search"}})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	m.wait(first, "canarywell-v0-1-0")
	m.wait(rest, "canarywell-v0-1-0")
	waitReady(t, mesh)
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	checkPhaseOrder(t, cluster.linter.phasesOf(name), "CanaryControlPlane", "CanaryWorkloads", "ControlPlane", "Workloads")
	for i, restart := range m.recordedRestarts() {
		if early := restart.namespace != first && restart.active != "canarywell-v0-1-0"; early || i == 0 && (restart.namespace != first || restart.active != "canarywell-v0-0-9") {
			t.Errorf("%+v: want the selected namespace before the promotion and the others after it; all restarts: %+v", restart, m.recordedRestarts())
		}
		if restart.sidecar != "canarywell-v0-1-0" {
			t.Errorf("a restart gave sidecars of %s", restart.sidecar)
		}
	}
	if len(m.recordedRestarts()) != 3 {
		t.Errorf("restarts: %+v, want each workload once", m.recordedRestarts())
	}

	// The objects of the canary are deleted, except for the Service that its sidecars use.
	waitVersion(t, name, operatorVersion)
	for _, object := range canaryObjects(name) {
		waitGone(t, object)
	}
	// The earlier revision is deleted once no workload is left to upgrade.
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "canarywell-v0-0-9"}})
	waitSelector(t, name, names.Controller)
	waitWebhooks(t, name, 1)
	waitEvent(t, "canarywell-v0-1-0", "CanaryInjects", first)
	waitEvent(t, "canarywell-v0-1-0", "CanaryWithdrawn", "no longer")
	waitNoWrites(t, name)
	checkNoWrites(t, 2*time.Second, cluster.writes.count(), name)

	// The Service is deleted when no sidecar uses it.
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Version, m.Spec.Upgrade.Strategy = ptr.To(olderVersion), nil
	})
	m.wait(first, "canarywell-v0-0-9")
	waitGone(t, canaryService(name))
	waitReady(t, mesh)
}

func TestFailedCanaryAffectsOnlySelectedNamespaces(t *testing.T) {
	t.Parallel()
	const name, first, rest = "canaryill", "canaryill-first", "canaryill-rest"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		canaryIn(first)(spec)
		spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
		// The second wave starts after the checks of the first.
		spec.Upgrade.DataPlane.PauseBetween = ptr.To(v1alpha1.NewDuration(time.Minute))
	})
	m := newCanaryWorkloads(t, name, map[string][]string{first: {"cart", "search"}, rest: {"pay"}})
	before := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, before)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	m.waitPods(first, "canaryill-v0-1-0", 1)
	waitPhase(t, mesh, "CanaryWorkloads")
	waitRoles(t, mesh, map[string]v1alpha1.Role{olderVersion: v1alpha1.RoleActive, operatorVersion: v1alpha1.RoleCanary})
	waitSelector(t, name, names.Controller+"-"+canarySuffix)
	eventually(t, func() error {
		get(t, mesh)
		if p := mesh.Status.Proxies; p.Total != 3 || p.Outdated != 1 {
			return fmt.Errorf("the status counts %+v, want 3 sidecars, of which one does not have the canary revision yet", p)
		}
		return nil
	})

	failing := healthy()
	failing.Flows = []rollout.Flow{{Requests: rollout.Requests{Issued: 100, Failed: 50}}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	m.wait(first, "canaryill-v0-0-9")
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "ErrorRate", "50.00%")
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRolledBack)
	for _, object := range canaryObjects(name) {
		waitGone(t, object)
	}
	waitSelector(t, name, names.Controller)
	for _, restart := range m.recordedRestarts() {
		if restart.namespace != first || restart.active != "canaryill-v0-0-9" {
			t.Errorf("%+v: want restarts only in the selected namespace, without a change of the active control plane", restart)
		}
	}
	after := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, after)
	if after.UID != before.UID || after.Generation != before.Generation {
		t.Errorf("the active Deployment was changed: generation %d, was %d", after.Generation, before.Generation)
	}

	// The Service that sidecars of the canary use is recreated after its deletion.
	if err := cluster.client.Delete(t.Context(), canaryService(name)); err != nil {
		t.Fatal(err)
	}
	waitSelector(t, name, names.Controller)

	// Other images start another attempt, and the Service selects the canary again.
	cluster.health.set(meshNamespace(name), operatorVersion, healthy())
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar = &v1alpha1.SidecarSpec{Image: ptr.To("example/envoy:fixed")} })
	waitFor(t, mesh, func(m *v1alpha1.Mesh) error {
		if u := m.Status.Upgrade; u == nil || u.Revision == "" || u.Revision == "canaryill-v0-1-0" {
			return fmt.Errorf("the upgrade is %+v, want one to another revision of the version", u)
		}
		return nil
	})
	m.wait(rest, mesh.Status.Upgrade.Revision)
	waitReady(t, mesh)
}

// stages are the phases in which a test can stop a canary. arrange runs before the upgrade, and resume after the stop.
var stages = map[string]struct {
	phase           string
	arrange, resume func(name string, spec *v1alpha1.MeshSpec)
}{
	"starting": {
		"CanaryControlPlane",
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(meshNamespace(name), names.Injector+"-"+canarySuffix, true)
		},
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(meshNamespace(name), names.Injector+"-"+canarySuffix, false)
		},
	},
	"moving": {
		"CanaryWorkloads",
		func(_ string, spec *v1alpha1.MeshSpec) {
			spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(1))
			spec.Upgrade.DataPlane.PauseBetween = ptr.To(v1alpha1.NewDuration(time.Hour))
		},
		func(_ string, spec *v1alpha1.MeshSpec) {
			spec.Upgrade.DataPlane.PauseBetween = ptr.To(v1alpha1.Duration("0s"))
		},
	},
	"promoting": {
		"ControlPlane",
		// The pods of the active control plane become ready with the first version only.
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(meshNamespace(name), names.Controller, true)
		},
		func(name string, _ *v1alpha1.MeshSpec) {
			cluster.kubelet.hold(meshNamespace(name), names.Controller, false)
		},
	},
}

// stoppedCanary is a mesh whose canary stops in a stage.
type stoppedCanary struct {
	name, stage string
	mesh        *v1alpha1.Mesh
	workloads   *canaryWorkloads
}

// startCanary starts a canary without waiting for its stop.
func startCanary(t *testing.T, name, stage string) *stoppedCanary {
	t.Helper()
	first := name + "-first"
	mesh := readyMesh(t, name, canaryIn(first))
	m := newCanaryWorkloads(t, name, map[string][]string{first: {"cart", "search"}, name + "-rest": {"pay"}})
	change(t, mesh, func(m *v1alpha1.Mesh) {
		stages[stage].arrange(name, &m.Spec)
		m.Spec.Version = ptr.To(operatorVersion)
	})
	return &stoppedCanary{name, stage, mesh, m}
}

// stop waits until the canary has reached its stage.
func (c *stoppedCanary) stop(t *testing.T) {
	t.Helper()
	switch c.stage {
	case "starting":
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(c.name, names.Controller+"-"+canarySuffix)}, func(*appsv1.Deployment) error { return nil })
	case "moving":
		c.workloads.waitPods(c.name+"-first", c.name+"-v0-1-0", 1)
	case "promoting":
		c.workloads.wait(c.name+"-first", c.name+"-v0-1-0")
	}
	waitPhase(t, c.mesh, v1alpha1.UpgradePhase(stages[c.stage].phase))
}

// stopInEachStage starts one canary for each stage and waits until all have stopped.
func stopInEachStage(t *testing.T, prefix string) []*stoppedCanary {
	t.Helper()
	var canaries []*stoppedCanary
	for _, stage := range slices.Sorted(maps.Keys(stages)) {
		canaries = append(canaries, startCanary(t, prefix+stage, stage))
	}
	for _, c := range canaries {
		c.stop(t)
	}
	return canaries
}

func TestDeletionDuringCanary(t *testing.T) {
	t.Parallel()
	canaries := stopInEachStage(t, "gone")
	for _, c := range canaries {
		if err := cluster.client.Delete(t.Context(), c.mesh); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range canaries {
		waitCondition(t, c.mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
		// The control plane exists as long as sidecars exist.
		get(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(c.name, names.Controller+"-"+canarySuffix)})
		c.workloads.deletePods()
	}
	for _, c := range canaries {
		// Each kind of object is deleted in a separate step.
		within(t, upgradeTimeout, func() error {
			found, err := exists(t.Context(), c.mesh)
			if err == nil && found {
				err = fmt.Errorf("Mesh %s still exists: %+v", c.name, c.mesh.Status.Conditions)
			}
			return err
		})
		left := append(canaryObjects(c.name), canaryService(c.name),
			&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(c.name)}},
			&corev1.Service{ObjectMeta: inMeshNamespace(c.name, names.Controller)}, &appsv1.Deployment{ObjectMeta: inMeshNamespace(c.name, names.Controller)},
			&v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: c.name + "-v0-1-0"}}, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: c.name + "-v0-0-9"}})
		for _, object := range left {
			if found, err := exists(t.Context(), object); err != nil || found {
				t.Errorf("removed in stage %s: %T %s was not deleted (%v)", c.stage, object, object.GetName(), err)
			}
		}
	}
}

// The state of an upgrade is stored in the cluster, so a restarted operator continues it in any phase.
func TestCanaryContinuesAfterOperatorRestart(t *testing.T) {
	canaries := stopInEachStage(t, "next")
	before := map[string][]restart{}
	for _, c := range canaries {
		before[c.name] = c.workloads.recordedRestarts()
	}
	cluster.restart(t)
	for _, c := range canaries {
		waitPhase(t, c.mesh, v1alpha1.UpgradePhase(stages[c.stage].phase))
		change(t, c.mesh, func(m *v1alpha1.Mesh) { stages[c.stage].resume(c.name, &m.Spec) })
	}
	for _, c := range canaries {
		c.workloads.wait(c.name+"-first", c.name+"-v0-1-0")
		c.workloads.wait(c.name+"-rest", c.name+"-v0-1-0")
		waitReady(t, c.mesh)
		if restarts := c.workloads.recordedRestarts(); len(restarts) != 3 || !slices.Equal(restarts[:len(before[c.name])], before[c.name]) {
			t.Errorf("restarted in stage %s: restarts %+v, want each workload once", c.stage, restarts)
		}
	}
}

// haltedCanary starts a canary and stops it after the restart of one of two workloads.
func haltedCanary(t *testing.T, name string) (*v1alpha1.Mesh, *canaryWorkloads) {
	t.Helper()
	c := startCanary(t, name, "moving")
	c.stop(t)
	return c.mesh, c.workloads
}

// waitWebhooks waits until a mesh has a number of injection webhooks.
func waitWebhooks(t *testing.T, mesh string, want int) {
	t.Helper()
	waitFor(t, &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(mesh)}}, func(c *admissionv1.MutatingWebhookConfiguration) error {
		if len(c.Webhooks) != want {
			return fmt.Errorf("there are %d webhooks, want %d", len(c.Webhooks), want)
		}
		return nil
	})
}

// Pods of the selected namespaces must start even if no injector of the canary is ready.
func TestCanaryWebhookIsRemovedWithoutReadyInjector(t *testing.T) {
	t.Parallel()
	const name = "canarysilent"
	mesh, m := haltedCanary(t, name)
	waitWebhooks(t, name, 2)
	injector := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector+"-"+canarySuffix)}
	answering := func(pods int32) {
		eventually(t, func() error {
			get(t, injector)
			injector.Status.ReadyReplicas, injector.Status.AvailableReplicas = pods, pods
			return cluster.client.Status().Update(t.Context(), injector)
		})
	}
	answering(0)
	waitWebhooks(t, name, 1)
	m.waitPods(name+"-first", name+"-v0-1-0", 1)
	answering(2)
	waitWebhooks(t, name, 2)
	// An upgrade that waits stores when its gates were evaluated, which tests of idle meshes would count.
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
}

func TestVersionChangeDuringCanary(t *testing.T) {
	t.Parallel()
	returned, m := haltedCanary(t, "canaryleft")
	onwards, n := haltedCanary(t, "canaryother")
	// One mesh returns to the active version, and the other changes to a third version during the canary.
	change(t, returned, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(olderVersion) })
	change(t, onwards, func(m *v1alpha1.Mesh) {
		m.Spec.Version, m.Spec.Upgrade.DataPlane.PauseBetween = ptr.To(latestVersion), ptr.To(v1alpha1.Duration("0s"))
	})
	m.wait("canaryleft-first", "canaryleft-v0-0-9")
	waitReady(t, returned)
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "canaryleft-v0-1-0"}})
	waitGone(t, canaryService("canaryleft"))
	for _, namespace := range []string{"canaryother-first", "canaryother-rest"} {
		n.wait(namespace, "canaryother-v0-1-1")
	}
	waitReady(t, onwards)
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "canaryother-v0-1-0"}})
	waitGone(t, canaryService("canaryother"))
}

func TestPausedCanaryDoesNotProgress(t *testing.T) {
	t.Parallel()
	const name = "canarypaused"
	mesh, m := haltedCanary(t, name)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	failing := healthy()
	failing.Restarts = []health.PodRestarts{{UID: "controller", Created: time.Now().Add(time.Hour), Count: 9}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	waitNoWrites(t, name)
	checkNoWrites(t, 3*time.Second, cluster.writes.count(), name)
	m.waitPods(name+"-first", name+"-v0-1-0", 1)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = nil })
	m.wait(name+"-first", name+"-v0-0-9")
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
}

func TestCanaryWithoutNamespacesHalts(t *testing.T) {
	t.Parallel()
	const name, first = "canarynobody", "canarynobody-first"
	mesh := readyMesh(t, name, canaryIn(first))
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonCanaryBlocked)
	assertContains(t, condition.Message, "no namespace of the mesh", "spec.upgrade.strategy.canary.namespaceSelector")
	waitVersion(t, name, olderVersion)
	// The upgrade continues when a matching namespace joins the mesh.
	m := newCanaryWorkloads(t, name, map[string][]string{first: {"cart"}})
	m.wait(first, name+"-v0-1-0")
	waitReady(t, mesh)
}

func TestInvalidCanarySelectorIsRejected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*v1alpha1.UpgradeSpec)
		want string
	}{
		"no selector":    {func(u *v1alpha1.UpgradeSpec) { u.Strategy.Canary = nil }, "needs spec.upgrade.strategy.canary"},
		"empty selector": {func(u *v1alpha1.UpgradeSpec) { u.Strategy.Canary.NamespaceSelector = metav1.LabelSelector{} }, "every namespace of the mesh"},
		"type InPlace":   {func(u *v1alpha1.UpgradeSpec) { u.Strategy.Type = nil }, "has no effect with type InPlace"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "canaryrejected"}}
			canaryIn("shop")(&mesh.Spec)
			c.edit(mesh.Spec.Upgrade)
			err := cluster.client.Create(t.Context(), mesh)
			if err == nil {
				t.Fatal("was accepted")
			}
			assertContains(t, err.Error(), c.want)
		})
	}
}
