package operator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// waitPlan waits for a plan of the current generation for which check returns no error.
func waitPlan(t *testing.T, mesh *v1alpha1.Mesh, check func(*v1alpha1.PlanStatus) error) *v1alpha1.PlanStatus {
	t.Helper()
	within(t, upgradeTimeout, func() error {
		get(t, mesh)
		plan := mesh.Status.Plan
		if plan == nil || plan.Generation != mesh.Generation {
			return fmt.Errorf("there is no plan of generation %d: %+v", mesh.Generation, mesh.Status)
		}
		return check(plan)
	})
	return mesh.Status.Plan
}

func anyPlan(*v1alpha1.PlanStatus) error { return nil }

// changesOf formats the changes of a plan, each as "<verb> <object>: <fields>".
func changesOf(plan *v1alpha1.PlanStatus) string {
	var lines []string
	for _, c := range plan.Objects.Changes {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", c.Verb, c.Object, strings.Join(c.Fields, " ")), ": "))
	}
	return strings.Join(lines, "\n")
}

// checkOnlyStatusWrites runs an edit and checks that the operator writes only the status of the mesh and of its
// revision, which follows the pods of the control plane in every mode.
func checkOnlyStatusWrites(t *testing.T, edit func(), meshes ...string) {
	t.Helper()
	waitNoWrites(t, meshes...)
	before := cluster.writes.count()
	edit()
	waitNoWrites(t, meshes...)
	for _, request := range cluster.writes.since(before, meshes...) {
		isStatus := strings.HasSuffix(request, "/status") && (strings.Contains(request, "/meshes/") || strings.Contains(request, "/meshrevisions/"))
		if !isStatus && !strings.Contains(request, "/events") {
			t.Errorf("the operator wrote %s, although it may only write status", request)
		}
	}
}

func TestPlanOfNewMesh(t *testing.T) {
	const name = "unborn"
	mesh := &v1alpha1.Mesh{}
	mesh.Name = name
	checkOnlyStatusWrites(t, func() {
		mesh = newMesh(t, name, func(spec *v1alpha1.MeshSpec) {
			spec.Mode = ptr.To(v1alpha1.ModePlan)
			spec.Traffic = &v1alpha1.TrafficSpec{Egress: ptr.To(true)}
		})
		waitCondition(t, mesh, v1alpha1.ConditionPlanned, metav1.ConditionTrue, v1alpha1.ReasonPlanned)
	})
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonPlanned)
	plan := waitPlan(t, mesh, anyPlan)
	assertContains(t, changesOf(plan), "Create Namespace unborn-system", "Create Secret unborn-system/osm-ca-bundle", "Create MeshConfig unborn-system/osm-mesh-config",
		"Create Deployment unborn-system/osm-controller", "Create MutatingWebhookConfiguration "+names.MutatingWebhook(name), "Create MeshRevision unborn-v0-1-0")
	assertContains(t, strings.Join(plan.Unavailable, " "), "not computable", "not installed")
	if plan.Problem != "" || plan.From != "" || plan.To != operatorVersion || plan.Objects.Delete+plan.Objects.Repair > 0 {
		t.Errorf("the plan of a new mesh is %+v", plan)
	}
	if found, err := exists(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}}); found || err != nil {
		t.Errorf("the namespace exists: %v", err)
	}
	if len(mesh.Finalizers) > 0 {
		t.Errorf("a mesh in Plan mode has finalizers: %v", mesh.Finalizers)
	}

	cluster.kubelet.serve(meshNamespace(name))
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Mode = nil })
	waitReady(t, mesh)
	if mesh.Status.Plan != nil {
		t.Errorf("the plan was not removed: %+v", mesh.Status.Plan)
	}
	for _, c := range plan.Objects.Changes {
		if c.Verb != v1alpha1.VerbCreate {
			t.Errorf("%s %s in the plan of a new mesh", c.Verb, c.Object)
		}
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Mode = ptr.To(v1alpha1.ModePlan) })
	after := waitPlan(t, mesh, anyPlan)
	if o := after.Objects; o.Create+o.Update+o.Repair+o.Delete > 0 || o.Unchanged == 0 || after.Hash == plan.Hash {
		t.Errorf("the plan after the installation is %+v", after)
	}
}

func TestPlanOfInstalledMesh(t *testing.T) {
	t.Parallel()
	const name = "planned"
	mesh := readyMesh(t, name, nil)
	controller := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Mode = ptr.To(v1alpha1.ModePlan) })
	waitPlan(t, mesh, anyPlan)
	checkOnlyStatusWrites(t, func() {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.ControlPlane = replicas(3)
			m.Spec.Traffic = &v1alpha1.TrafficSpec{Permissive: ptr.To(true)}
		})
		injector := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}
		change(t, injector, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "evil/image:1" })
		service := &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Validator)}
		change(t, service, func(s *corev1.Service) { s.Spec.Selector["app"] = "wrong" })
		waitPlan(t, mesh, func(p *v1alpha1.PlanStatus) error {
			for _, line := range []string{
				"Update Deployment planned-system/osm-controller: spec.replicas",
				"Repair Service planned-system/osm-validator: spec.selector.app",
				"Update MeshConfig planned-system/osm-mesh-config: spec.traffic.enablePermissiveTrafficPolicyMode",
				"Update MeshRevision planned-v0-1-0: spec.controlPlane.controller.replicas",
			} {
				if !strings.Contains(changesOf(p), line) {
					return fmt.Errorf("the plan does not contain %q:\n%s", line, changesOf(p))
				}
			}
			return nil
		})
	}, name)
	condition := waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPlanned)
	assertContains(t, condition.Message, "update", "repair 1")
	plan := mesh.Status.Plan
	if !slices.ContainsFunc(plan.Objects.Changes, func(c v1alpha1.PlannedObject) bool {
		return c.Object == "Deployment planned-system/osm-injector" && slices.ContainsFunc(c.Fields, func(f string) bool { return strings.HasSuffix(f, ".image") })
	}) {
		t.Errorf("the image of the injector is not in the plan:\n%s", changesOf(plan))
	}
	if plan.Proxies == nil || plan.Flows == nil {
		t.Errorf("proxies and flows are missing: %v", plan.Unavailable)
	}
	get(t, controller)
	if *controller.Spec.Replicas != v1alpha1.DefaultReplicas {
		t.Errorf("the controller has %d replicas", *controller.Spec.Replicas)
	}
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Mode = ptr.To(v1alpha1.ModeApply) })
	waitFor(t, controller, func(d *appsv1.Deployment) error {
		if *d.Spec.Replicas != 3 {
			return fmt.Errorf("the controller has %d replicas", *d.Spec.Replicas)
		}
		return nil
	})
	waitReady(t, mesh)
}

func TestPlanOfUpgrade(t *testing.T) {
	t.Parallel()
	const name = "planup"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Gates.Soak = ptr.To(v1alpha1.NewDuration(time.Hour))
		spec.Upgrade.Gates.Timeout = nil
	})
	s := newWorkloads(t, name, "cart", "checkout", "desk")
	s.wait("planup-v0-0-9", 3)
	createInjected(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "bare", Labels: map[string]string{names.RevisionLabel: "planup-v0-0-9", names.ProxyUUIDLabel: "0"}},
		Spec:       injectedSpec(),
	})
	checkOnlyStatusWrites(t, func() {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.Mode, m.Spec.Version = ptr.To(v1alpha1.ModePlan), ptr.To(operatorVersion)
		})
		waitPlan(t, mesh, func(p *v1alpha1.PlanStatus) error {
			if p.Workloads.Restart != 3 || p.Workloads.Waves != 3 || p.Workloads.SkippedTotal != 1 {
				return fmt.Errorf("want 3 workloads in 3 waves and 1 left: %+v; %s; problem %q", p.Workloads, p.Summary, p.Problem)
			}
			return nil
		})
	}, name)
	plan := mesh.Status.Plan
	assertContains(t, changesOf(plan), "Create MeshRevision planup-v0-1-0", "Delete MeshRevision planup-v0-0-9", "Update Deployment planup-system/osm-controller")
	assertContains(t, plan.Summary, "version v0.0.9 to v0.1.0", "restart 3 in 3 waves")
	assertContains(t, strings.Join(plan.Unavailable, " "), "not computable", "v0.0.9")
	assertContains(t, plan.Workloads.Skipped[0].Workload, "Pod planup-shop/bare")
	var restarts []string
	for _, r := range plan.Workloads.Restarts {
		restarts = append(restarts, r.Workload)
	}
	if plan.Problem != "" || len(s.restarted) > 0 {
		t.Errorf("problem %q, restarted %v", plan.Problem, s.restarted)
	}

	// The upgrade restarts the workloads in the planned order.
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Mode = nil
		m.Spec.Upgrade.Gates.Soak = ptr.To(v1alpha1.Duration("0s"))
	})
	within(t, upgradeTimeout, func() error {
		get(t, mesh)
		if len(mesh.Status.History) < 2 {
			return fmt.Errorf("the upgrade has not ended: %+v", mesh.Status.Upgrade)
		}
		return nil
	})
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitReady(t, mesh)
	var happened []string
	for _, restarted := range s.restarted {
		happened = append(happened, "Deployment "+s.namespace+"/"+restarted)
	}
	if !slices.Equal(happened, restarts) {
		t.Errorf("planned %v, restarted %v", restarts, happened)
	}
	waitGone(t, &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "planup-v0-0-9"}})
}

// A plan that is equal to the earlier one is not written.
func TestUnchangedPlanIsNotWritten(t *testing.T) {
	t.Parallel()
	const name = "planquiet"
	mesh := readyMesh(t, name, nil)
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Mode, m.Spec.ControlPlane = ptr.To(v1alpha1.ModePlan), replicas(3)
	})
	waitPlan(t, mesh, anyPlan)
	waitNoWrites(t, name)
	before := cluster.writes.count()
	for i := range 3 {
		change(t, mesh, func(m *v1alpha1.Mesh) { m.Annotations = map[string]string{"example/touched": fmt.Sprint(i)} })
		// This is longer than the interval between two plans.
		timer := time.NewTimer(6 * time.Second)
		<-timer.C
	}
	for _, request := range cluster.writes.since(before, name) {
		t.Errorf("the operator wrote %s for an unchanged plan", request)
	}
}

func TestPlanReportsProblems(t *testing.T) {
	t.Parallel()
	const name = "planbad"
	mesh := newMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		spec.Mode, spec.Version = ptr.To(v1alpha1.ModePlan), ptr.To("v9.9.9")
	})
	condition := waitCondition(t, mesh, v1alpha1.ConditionPlanned, metav1.ConditionFalse, v1alpha1.ReasonUnknownVersion)
	assertContains(t, condition.Message, "v9.9.9")
	assertContains(t, waitPlan(t, mesh, anyPlan).Problem, "v9.9.9")
}

// The canary namespaces are restarted first. Temporary objects of the canary are not part of the plan.
func TestPlanOfCanaryUpgrade(t *testing.T) {
	t.Parallel()
	const name = "plancan"
	mesh := readyMesh(t, name, fastUpgrades)
	newCanaryWorkloads(t, name, map[string][]string{"plancan-first": {"till"}, "plancan-rest": {"cart", "desk"}})
	checkOnlyStatusWrites(t, func() {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.Mode, m.Spec.Version = ptr.To(v1alpha1.ModePlan), ptr.To(operatorVersion)
			m.Spec.Upgrade.Strategy = &v1alpha1.UpgradeStrategy{
				Type:   ptr.To(v1alpha1.StrategyCanary),
				Canary: &v1alpha1.CanarySpec{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "plancan-first"}}},
			}
		})
		waitPlan(t, mesh, func(p *v1alpha1.PlanStatus) error {
			if p.Workloads.Restart != 3 {
				return fmt.Errorf("want 3 restarts: %+v; %s; problem %q", p.Workloads, p.Summary, p.Problem)
			}
			return nil
		})
	}, name)
	plan := mesh.Status.Plan
	want := []v1alpha1.PlannedRestart{{Wave: 1, Workload: "Deployment plancan-first/till"}, {Wave: 2, Workload: "Deployment plancan-rest/cart"}, {Wave: 3, Workload: "Deployment plancan-rest/desk"}}
	if !slices.Equal(plan.Workloads.Restarts, want) || plan.Problem != "" {
		t.Errorf("restarts %v, problem %q", plan.Workloads.Restarts, plan.Problem)
	}
	if changes := changesOf(plan); strings.Contains(changes, "Deployment plancan-system/osm-controller-"+canarySuffix) {
		t.Errorf("the plan contains a temporary object of the canary:\n%s", changes)
	}
}

// The plan contains the sidecar configuration that is compiled from the policies of the cluster.
func TestPlanOfSidecarConfiguration(t *testing.T) {
	t.Parallel()
	const name, shop = "plantell", "plantell-shop"
	mesh := readyMesh(t, name, nil)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}})
	for i, account := range []string{"till", "web"} {
		create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: account}})
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: account, Labels: map[string]string{
				"app": account, names.ProxyUUIDLabel: account, names.RevisionLabel: name + "-v0-1-0",
			}},
			Spec: corev1.PodSpec{
				ServiceAccountName: account, InitContainers: []corev1.Container{{Name: names.SidecarContainer, Image: "e", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}},
				Containers: []corev1.Container{{Name: "app", Image: "a"}},
			},
		}
		create(t, pod)
		ip := fmt.Sprintf("10.9.0.%d", i+1)
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
		if err := cluster.client.Status().Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	create(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	})
	create(t, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: shop, Name: "web", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80)}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.9.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: shop, Name: "web"},
		}},
	})
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = name })
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Mode = ptr.To(v1alpha1.ModePlan)
		m.Spec.Traffic = &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(true)}
	})
	plan := waitPlan(t, mesh, func(p *v1alpha1.PlanStatus) error {
		if p.Proxies == nil || p.Proxies.Changed != 2 || p.Proxies.Total != 2 || p.Flows.Allowed < 2 {
			return fmt.Errorf("want 2 sidecars of 2 and some flows: %+v, %+v, not computed %v", p.Proxies, p.Flows, p.Unavailable)
		}
		return nil
	})
	assertContains(t, fmt.Sprint(plan.Flows.Changes), "Allowed", "destinations outside the mesh", "permissive mode", shop+"/web:80")
	assertContains(t, fmt.Sprint(plan.Proxies.Examples), "Pod plantell-shop/till", "LDS")
	assertContains(t, plan.Summary, "sidecars configured anew: 2", "newly allowed")
}
