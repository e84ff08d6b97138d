package nodes

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// pinned runs on the second node only, and late is another such workload, which comes when the node is full.
	pinned, late = "pinned", "late"
	// filler fills the node.
	filler = "nodes-filler"
	// slotsLimit is the time limit for an upgrade in place.
	slotsLimit = 4 * time.Minute
)

// TestNodeIsFull fills a node. A pod that would fit without its sidecar waits, the command line says why, and the mesh stays ready. An upgrade in place needs no
// room: only the pod that waits stays outdated, and the status names it. It starts when there is room.
func TestNodeIsFull(t *testing.T) {
	lab.RequireFull(t)
	requireLocal(t)
	cluster.Record(t, "no request is lost by an upgrade in place on a full node; pods without room wait, and are named")
	first, next := envoys(t)
	changeMesh(t, fmt.Sprintf(`{"upgrade":{"gates":{"soak":"1s"},"dataPlane":{"restart":"InPlace","pauseBetween":"1s","maxUnavailable":"100%%"}},"sidecar":{"image":%q}}`, first))
	t.Cleanup(func() {
		changeMesh(t, `{"sidecar":null}`)
		awaitIdle(t)
		changeMesh(t, `{"upgrade":null}`)
	})
	awaitIdle(t)
	moveControlPlane(t)
	s := deploy(t, "nodes-full")
	lab.Must(t, cluster.Create(t.Context(), s.onSecond(pinned, nil)...))
	// The pods of a Deployment may not exist yet when all existing pods are ready.
	s.awaitReady(t, pinned)
	fill(t)
	requests := s.startLoad(t, near)

	lab.Must(t, cluster.Create(t.Context(), s.onSecond(late, nil)...))
	lab.Eventually(t, podLimit, "the check names the pod that waits", osmPrints(1, []string{"pods that wait for a node: " + late, "Insufficient cpu"}, nil, "check"))
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, callLimit))
	lab.Must(t, cluster.Create(t.Context(), s.onSecond("bare", map[string]string{"openservicemesh.io/sidecar-injection": "disabled"})...))
	s.awaitReady(t, "bare")

	changeMesh(t, fmt.Sprintf(`{"sidecar":{"image":%q}}`, next))
	s.awaitSlots(t, next, near, far, server, pinned)
	awaitMesh(t, "the status names the pod without room", "waits for a node")
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, callLimit))
	requests.stop(0)
	lab.Must(t, cluster.DeleteNamespace(t.Context(), filler))
	s.awaitReady(t, late)
}

// envoys returns the image of the sidecar, and one of a patch release that both nodes have.
func envoys(t *testing.T) (first, next string) {
	t.Helper()
	built, err := lab.PinnedReferences(cluster.Repository.Path("bin", "images", "images.lock"))
	lab.Must(t, err)
	archive, next, err := cluster.PackEnvoy(t.TempDir(), "patched", lab.PatchEnvoy)
	lab.Must(t, err)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load", archive))
	lab.Must(t, second.Load(t.Context(), archive))
	return built["envoy"], next
}

// awaitIdle waits until the mesh has no upgrade: what new pods get has passed its gates.
func awaitIdle(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	lab.Eventually(t, slotsLimit, "the mesh is idle", func(context.Context) (bool, string, error) {
		live := &v1alpha1.Mesh{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, live)
		upgrading := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionUpgrading)
		idle := upgrading != nil && upgrading.Reason == v1alpha1.ReasonIdle && upgrading.ObservedGeneration == live.Generation
		return idle, lab.Conditions(live.Status.Conditions), err
	})
}

// changeMesh merges a patch into the spec of the mesh, and waits until its injectors have it.
func changeMesh(t *testing.T, spec string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	lab.Must(t, cluster.Patch(ctx, &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}, `{"spec":`+spec+`}`))
	lab.Must(t, cluster.MeshReady(ctx, names.DefaultMesh, installLimit))
	lab.Must(t, cluster.Available(ctx, podLimit, names.DefaultNamespace))
}

// onSecond returns a Deployment of one pod that only the second node may run, with its account.
func (s shop) onSecond(name string, annotations map[string]string) []client.Object {
	account, pod := cluster.TestPod(s.namespace, name)
	pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: second.Name}
	deployment := lab.Deployment(pod, 1)
	deployment.Spec.Template.Annotations = annotations
	return []client.Object{account, deployment}
}

// fill starts a pod outside of the mesh that requests what the second node has left of CPU, except for an application without a sidecar.
func fill(t *testing.T) {
	t.Helper()
	node := &corev1.Node{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: second.Name}, node))
	left := node.Status.Allocatable.Cpu().MilliValue() - requested(t) - 1
	t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), filler)) })
	lab.Must(t, cluster.CreateNamespace(t.Context(), filler, ""))
	account, pod := cluster.TestPod(filler, "filler")
	pod.Spec.NodeName = second.Name
	pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = *resource.NewMilliQuantity(left, resource.DecimalSI)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, filler))
}

// requested is what the pods of the second node request, in thousandths of a CPU.
func requested(t *testing.T) int64 {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &pods))
	sum := int64(0)
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Spec.NodeName == second.Name && pod.Status.Phase != corev1.PodFailed {
			sum += requestOf(&pod.Spec)
		}
	}
	return sum
}

// requestOf is what the scheduler counts for a pod: all containers that run together, or an init container with those that go on running, whichever is more.
func requestOf(spec *corev1.PodSpec) int64 {
	running, most := int64(0), int64(0)
	for _, c := range spec.InitContainers {
		request := c.Resources.Requests.Cpu().MilliValue()
		most = max(most, running+request)
		if c.RestartPolicy != nil {
			running += request
		}
	}
	for _, c := range spec.Containers {
		running += c.Resources.Requests.Cpu().MilliValue()
	}
	return max(running, most)
}

// awaitReady waits until the Deployment of an app is ready.
func (s shop) awaitReady(t *testing.T, name string) {
	t.Helper()
	lab.Eventually(t, podLimit, name+" is ready", func(ctx context.Context) (bool, string, error) {
		d := &appsv1.Deployment{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, d)
		return d.Status.ReadyReplicas == 1, fmt.Sprintf("%+v", d.Status.Conditions), err
	})
}

// awaitSlots waits until the ready pods of apps have an image in a slot at least, and none is left without it.
func (s shop) awaitSlots(t *testing.T, image string, apps ...string) {
	t.Helper()
	began := time.Now()
	lab.Eventually(t, slotsLimit, "slots have the image "+image, func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(s.namespace)); err != nil {
			return false, "", err
		}
		missing := []string{}
		for i := range pods.Items {
			pod := &pods.Items[i]
			if slices.Contains(apps, pod.Labels[lab.AppLabel]) && (!lab.IsReady(pod) || !hasImage(pod, image)) {
				missing = append(missing, pod.Name)
			}
		}
		return len(missing) == 0, strings.Join(missing, ", ") + "; " + described(t), nil
	})
	t.Logf("%5.1fs: %s", time.Since(began).Seconds(), image)
}

// hasImage reports whether a sidecar or a slot of a pod has an image.
func hasImage(pod *corev1.Pod, image string) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return (names.IsSlot(c.Name) || c.Name == names.SidecarContainer) && c.Image == image
	})
}

// awaitMesh waits until the conditions of the mesh contain a text, and logs them.
func awaitMesh(t *testing.T, what, want string) {
	t.Helper()
	lab.Eventually(t, slotsLimit, what, func(context.Context) (bool, string, error) {
		text := described(t)
		return strings.Contains(text, want), text, nil
	})
	t.Log(described(t))
}

// described returns the conditions of the mesh and the counts of its sidecars.
func described(t *testing.T) string {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: names.DefaultMesh}, mesh))
	return fmt.Sprintf("%+v; %s", mesh.Status.Proxies, lab.Conditions(mesh.Status.Conditions))
}
