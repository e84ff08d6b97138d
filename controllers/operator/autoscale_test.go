package operator_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// scale changes the replicas of a Deployment as an autoscaler does.
func scale(t *testing.T, mesh, name string, replicas int32) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, name)}
	get(t, d)
	to := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	err := cluster.client.SubResource("scale").Update(t.Context(), d, client.WithSubResourceBody(to), client.FieldOwner("horizontal-pod-autoscaler"))
	if err != nil {
		t.Fatal(err)
	}
}

// watchReplicas collects every value of the replicas of a Deployment.
func watchReplicas(t *testing.T, mesh, name string) (seen func() map[int32]bool) {
	t.Helper()
	watching, ok := cluster.client.(client.WithWatch)
	if !ok {
		t.Fatal("the client of the tests does not watch")
	}
	ctx, cancel := context.WithCancel(t.Context())
	w, err := watching.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(meshNamespace(mesh)), client.MatchingFields{"metadata.name": name})
	if err != nil {
		t.Fatal(err)
	}
	all, done := map[int32]bool{}, make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				all[*d.Spec.Replicas] = true
			}
		}
	}()
	t.Cleanup(cancel)
	return func() map[int32]bool { cancel(); w.Stop(); <-done; return all }
}

// waitReplicas waits until the Deployments of the control plane have a number of replicas.
func waitReplicas(t *testing.T, mesh string, replicas int32) {
	t.Helper()
	for _, name := range []string{names.Controller, names.Injector} {
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, name)}, func(d *appsv1.Deployment) error {
			if *d.Spec.Replicas != replicas {
				return fmt.Errorf("%s has %d replicas, want %d", name, *d.Spec.Replicas, replicas)
			}
			return nil
		})
	}
}

// The replicas are controlled by the operator, then by an autoscaler, then by the operator again. There are no intermediate values.
func TestReplicasMoveToAutoscalerAndBack(t *testing.T) {
	t.Parallel()
	const name = "stretched"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		spec.ControlPlane = replicas(3)
	})
	seen := watchReplicas(t, name, names.Controller)

	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.ControlPlane = autoscaled(v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](2), MaxReplicas: 7})
	})
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.Controller)}
	waitFor(t, autoscaler, func(a *autoscalingv2.HorizontalPodAutoscaler) error {
		if a.Spec.MaxReplicas != 7 || *a.Spec.MinReplicas != 2 || *a.Spec.Metrics[0].Resource.Target.AverageUtilization != 80 {
			return fmt.Errorf("the autoscaler is %+v", a.Spec)
		}
		return nil
	})
	waitReady(t, mesh)
	waitReplicas(t, name, 3)
	scale(t, name, names.Controller, 6)
	scale(t, name, names.Injector, 6)
	waitNoWrites(t, name)
	waitReplicas(t, name, 6)
	waitReady(t, mesh)
	get(t, &policyv1.PodDisruptionBudget{ObjectMeta: inMeshNamespace(name, names.Injector)})

	// Another change of the Deployment keeps the replicas.
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.ControlPlane.PriorityClassName = ptr.To("mesh-critical") })
	waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}, func(d *appsv1.Deployment) error {
		if d.Spec.Template.Spec.PriorityClassName != "mesh-critical" {
			return fmt.Errorf("the priority is %q", d.Spec.Template.Spec.PriorityClassName)
		}
		return nil
	})
	waitReplicas(t, name, 6)

	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.ControlPlane = replicas(4) })
	waitReplicas(t, name, 4)
	waitGone(t, autoscaler)
	waitGone(t, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.Injector)})
	scale(t, name, names.Controller, 9)
	waitReplicas(t, name, 4)
	for replicas := range seen() {
		if replicas != 3 && replicas != 6 && replicas != 4 && replicas != 9 {
			t.Errorf("the Deployment had %d replicas temporarily", replicas)
		}
	}
}

// A new mesh with autoscaling starts with minReplicas.
func TestNewMeshWithAutoscalingStartsWithMinReplicas(t *testing.T) {
	t.Parallel()
	const name = "elastic"
	cluster.kubelet.serve(meshNamespace(name))
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	seen := watchReplicas(t, name, names.Injector)
	mesh := newMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		spec.ControlPlane = autoscaled(v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](3), MaxReplicas: 5})
	})
	waitReady(t, mesh)
	get(t, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.Injector)})
	waitNoWrites(t, name)
	scale(t, name, names.Injector, 5)
	waitNoWrites(t, name)
	for replicas := range seen() {
		if replicas != 3 && replicas != 5 {
			t.Errorf("the Deployment had %d replicas temporarily", replicas)
		}
	}
	// A deleted autoscaler is recreated. It is deleted with the mesh.
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.Injector)}
	get(t, autoscaler)
	was := autoscaler.UID
	if err := cluster.client.Delete(t.Context(), autoscaler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, autoscaler, func(a *autoscalingv2.HorizontalPodAutoscaler) error {
		if a.UID == was {
			return fmt.Errorf("the autoscaler was not recreated")
		}
		return nil
	})
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	waitGone(t, autoscaler)
}

// A rollback restores the replicas of the earlier version and deletes the autoscalers of the failed one.
func TestRollbackDeletesAutoscalersOfTheFailedVersion(t *testing.T) {
	t.Parallel()
	const name = "unscaled"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.ControlPlane = replicas(3)
	})
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, "", olderVersion)
	unhealthy := healthy()
	unhealthy.Restarts = []health.PodRestarts{{UID: "controller", Created: time.Now().Add(time.Hour), Count: 9}}
	cluster.health.set(meshNamespace(name), operatorVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Version = ptr.To(operatorVersion)
		m.Spec.ControlPlane = autoscaled(v1alpha1.AutoscalingSpec{MaxReplicas: 5})
	})
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	waitVersion(t, name, olderVersion)
	waitReplicas(t, name, 3)
	waitGone(t, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.Controller)})
}

func TestSchedulingAndImagesReachThePods(t *testing.T) {
	t.Parallel()
	const name = "placed"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { spec.ControlPlane = scheduled() })
	for _, component := range []string{names.Controller, names.Injector} {
		d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, component)}
		get(t, d)
		pod := d.Spec.Template.Spec
		if pod.PriorityClassName != "mesh-critical" || pod.NodeSelector["example.com/pool"] != "infrastructure" || len(pod.Tolerations) != 1 ||
			pod.ImagePullSecrets[0].Name != "registry" || len(pod.TopologySpreadConstraints) != 1 || pod.Affinity.NodeAffinity == nil || pod.Affinity.PodAntiAffinity != nil {
			t.Errorf("the pods of %s run as %+v", component, pod)
		}
	}
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}
	get(t, d)
	if image := d.Spec.Template.Spec.Containers[0].Image; image != "mirror.example/injector:1" {
		t.Errorf("the injector's image is %s", image)
	}

	// Fields that are no longer declared return to the defaults of the version.
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.ControlPlane = nil })
	waitFor(t, d, func(d *appsv1.Deployment) error {
		pod := d.Spec.Template.Spec
		if pod.PriorityClassName != "system-cluster-critical" || len(pod.Tolerations)+len(pod.ImagePullSecrets) > 0 ||
			pod.NodeSelector["example.com/pool"] != "" || pod.Affinity.PodAntiAffinity == nil || pod.Containers[0].Image != "example/injector:1" {
			return fmt.Errorf("the pods run as %+v", pod)
		}
		return nil
	})
	waitReady(t, mesh)
}

// scheduled declares all fields for images and scheduling.
func scheduled() *v1alpha1.ControlPlaneSpec {
	return &v1alpha1.ControlPlaneSpec{
		Images:            &v1alpha1.ImagesSpec{Injector: ptr.To("mirror.example/injector:1")},
		ImagePullSecrets:  []v1alpha1.PullSecret{{Name: "registry"}},
		PriorityClassName: ptr.To("mesh-critical"),
		NodeSelector:      v1alpha1.Labels{"example.com/pool": "infrastructure"},
		Tolerations:       []corev1.Toleration{{Key: "example.com/infrastructure", Operator: corev1.TolerationOpExists, TolerationSeconds: ptr.To[int64](0), Effect: corev1.TaintEffectNoExecute}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "example.com/arch", Operator: corev1.NodeSelectorOpExists}}}},
		}}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "kubernetes.io/hostname", WhenUnsatisfiable: corev1.DoNotSchedule}},
	}
}

// replicas declares the same number of pods for the controller and the injector.
func replicas(n int32) *v1alpha1.ControlPlaneSpec {
	return &v1alpha1.ControlPlaneSpec{Controller: &v1alpha1.WorkloadSpec{Replicas: &n}, Injector: &v1alpha1.WorkloadSpec{Replicas: &n}}
}

// autoscaled declares the same autoscaling for the controller and the injector.
func autoscaled(a v1alpha1.AutoscalingSpec) *v1alpha1.ControlPlaneSpec {
	return &v1alpha1.ControlPlaneSpec{
		Controller: &v1alpha1.WorkloadSpec{Autoscaling: a.DeepCopy()}, Injector: &v1alpha1.WorkloadSpec{Autoscaling: a.DeepCopy()},
	}
}

// TestGatewayReplicasMoveToAutoscalerAndBack checks that the pods of a gateway follow its autoscaler, also when the Deployment changes.
func TestGatewayReplicasMoveToAutoscalerAndBack(t *testing.T) {
	t.Parallel()
	const name = "outgoing"
	mesh := readyMesh(t, name, nil)
	gateway := func(edit func(*v1alpha1.EgressGatewaySpec)) {
		change(t, mesh, func(m *v1alpha1.Mesh) {
			m.Spec.EgressGateway = &v1alpha1.EgressGatewaySpec{Mode: ptr.To(v1alpha1.EgressGatewayManaged)}
			edit(m.Spec.EgressGateway)
		})
	}
	waitGateway := func(replicas int32, priority string) {
		t.Helper()
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.EgressGateway)}, func(d *appsv1.Deployment) error {
			if got := d.Spec.Template.Spec.PriorityClassName; *d.Spec.Replicas != replicas || got != priority {
				return fmt.Errorf("the gateway has %d replicas and the priority %q, want %d and %q", *d.Spec.Replicas, got, replicas, priority)
			}
			return nil
		})
	}
	gateway(func(g *v1alpha1.EgressGatewaySpec) { g.Replicas = ptr.To[int32](3) })
	waitGateway(3, "")
	seen := watchReplicas(t, name, names.EgressGateway)

	scaling := &v1alpha1.AutoscalingSpec{MaxReplicas: 9}
	gateway(func(g *v1alpha1.EgressGatewaySpec) { g.Autoscaling = scaling })
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inMeshNamespace(name, names.EgressGateway)}
	waitFor(t, autoscaler, func(a *autoscalingv2.HorizontalPodAutoscaler) error {
		if a.Spec.ScaleTargetRef.Name != names.EgressGateway || a.Spec.MaxReplicas != 9 || *a.Spec.MinReplicas != 2 {
			return fmt.Errorf("the autoscaler is %+v", a.Spec)
		}
		return nil
	})
	scale(t, name, names.EgressGateway, 7)
	gateway(func(g *v1alpha1.EgressGatewaySpec) { g.Autoscaling, g.PriorityClassName = scaling, ptr.To("edge") })
	waitGateway(7, "edge")

	gateway(func(*v1alpha1.EgressGatewaySpec) {})
	waitGateway(2, "")
	waitGone(t, autoscaler)
	for replicas := range seen() {
		if replicas != 3 && replicas != 7 && replicas != 2 {
			t.Errorf("the Deployment had %d replicas temporarily", replicas)
		}
	}
}
