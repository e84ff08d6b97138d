package pull

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

var (
	osm   = &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: types.UID("1")}}
	image = Image{Namespace: "osm-system", Reference: "envoy:2", Init: "init:2"}
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

// cluster is an API server without a DaemonSet controller, at a time.
type cluster struct {
	client.Client
	now time.Time
}

func newCluster(t *testing.T, functions interceptor.Funcs) (*cluster, *Puller) {
	t.Helper()
	c := &cluster{now: noon}
	create := functions.Create
	functions.Create = func(ctx context.Context, w client.WithWatch, object client.Object, o ...client.CreateOption) error {
		object.SetCreationTimestamp(metav1.NewTime(c.now))
		if create != nil {
			return create(ctx, w, object, o...)
		}
		return w.Create(ctx, object, o...)
	}
	c.Client = fake.NewClientBuilder().WithInterceptorFuncs(functions).Build()
	return c, New(c, c, func() time.Time { return c.now })
}

// daemonSets returns the DaemonSets of the cluster.
func (c *cluster) daemonSets(t *testing.T) []appsv1.DaemonSet {
	t.Helper()
	var list appsv1.DaemonSetList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// run simulates the pod of a DaemonSet on a node.
func (c *cluster) run(t *testing.T, set appsv1.DaemonSet, node string, ended *corev1.ContainerStateTerminated) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: set.Namespace, Name: set.Name + "-" + node, Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
	pod.Spec.NodeName = node
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: pullContainer, State: corev1.ContainerState{Terminated: ended}}}
	if err := c.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func TestNodesWithTheImageAreKnown(t *testing.T) {
	c, p := newCluster(t, interceptor.Funcs{})
	nodes := func(i Image) rollout.Nodes {
		t.Helper()
		pulled, err := p.Nodes(t.Context(), osm, i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pulled, p.Pulled(osm, i.Reference)); diff != "" {
			t.Errorf("known about the image (-want +got): %s", diff)
		}
		return pulled.Nodes
	}
	if got := nodes(image); got == nil || len(got) > 0 {
		t.Errorf("before anything is pulled: %v, want no node", got)
	}
	sets := c.daemonSets(t)
	if len(sets) != 1 {
		t.Fatalf("there are %d DaemonSets, want one", len(sets))
	}
	c.run(t, sets[0], "three", &corev1.ContainerStateTerminated{ExitCode: 132})
	if got := nodes(image); len(got) > 0 || !strings.Contains(p.Unusable(image.Reference), "exit code 132 on the node three") {
		t.Errorf("the image runs on %v, and is unusable because %q", got, p.Unusable(image.Reference))
	}
	c.run(t, sets[0], "one", &corev1.ContainerStateTerminated{})
	c.run(t, sets[0], "two", nil)
	if diff := cmp.Diff(rollout.Nodes{"one": true}, nodes(image)); diff != "" {
		t.Errorf("nodes with the image (-want +got): %s", diff)
	}
	if reason := p.Unusable(image.Reference); reason != "" {
		t.Errorf("an image that runs on a node is unusable: %s", reason)
	}
	if overdue := p.Pulled(osm, image.Reference).Overdue; overdue != "" {
		t.Errorf("before its time, the other nodes are not waited for: %s", overdue)
	}
	// A node that has not pulled the image gets no slot with it, however long that takes. It may pull it later.
	c.now = noon.Add(Timeout + time.Second)
	if diff := cmp.Diff(rollout.Nodes{"one": true}, nodes(image)); diff != "" || !strings.Contains(p.Pulled(osm, image.Reference).Overdue, "within 2m0s") {
		t.Errorf("after its time, %q (-want +got): %s", p.Pulled(osm, image.Reference).Overdue, diff)
	}
	c.run(t, sets[0], "four", &corev1.ContainerStateTerminated{})
	c.now = c.now.Add(poll)
	if diff := cmp.Diff(rollout.Nodes{"one": true, "four": true}, nodes(image)); diff != "" {
		t.Errorf("later (-want +got): %s", diff)
	}
	// Another image has its own time.
	other := image
	other.Reference = "envoy:3"
	if got := nodes(other); got == nil || len(got) > 0 {
		t.Errorf("for another image: %v, want no node", got)
	}
	if left := c.daemonSets(t); len(left) != 1 || left[0].Name == sets[0].Name {
		t.Errorf("%d DaemonSets are left, want that of the other image only", len(left))
	}
}

// An operator that starts when the time of the nodes is over knows no earlier trial.
func TestFailingImageIsNotUsedAfterItsTime(t *testing.T) {
	c, p := newCluster(t, interceptor.Funcs{})
	if _, err := p.Nodes(t.Context(), osm, image); err != nil {
		t.Fatal(err)
	}
	c.run(t, c.daemonSets(t)[0], "one", &corev1.ContainerStateTerminated{ExitCode: 132})
	c.now = noon.Add(Timeout + time.Second)
	restarted := New(c, c, func() time.Time { return c.now })
	if nodes, err := restarted.Nodes(t.Context(), osm, image); err != nil || nodes.Nodes == nil || len(nodes.Nodes) > 0 || restarted.Unusable(image.Reference) == "" {
		t.Errorf("nodes %v (%v), unusable because %q", nodes, err, restarted.Unusable(image.Reference))
	}
}

func TestEndDeletesDaemonSets(t *testing.T) {
	lists := 0
	c, p := newCluster(t, interceptor.Funcs{List: func(ctx context.Context, w client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
		lists++
		return w.List(ctx, list, o...)
	}})
	unmanaged := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, Name: "osm-pull-mine"}}
	if err := c.Create(t.Context(), unmanaged); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Nodes(t.Context(), osm, image); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.End(t.Context(), osm, image.Namespace); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Pulled(osm, image.Reference); got.Nodes != nil {
		t.Errorf("after the end, %+v is known", got)
	}
	if lists != 2 {
		t.Errorf("%d lists, want one for each change", lists)
	}
	if left := c.daemonSets(t); len(left) != 1 || left[0].Name != unmanaged.Name {
		t.Errorf("%d DaemonSets are left, want the unmanaged one", len(left))
	}
}

func TestDeniedDaemonSetIsReported(t *testing.T) {
	denied := errors.New("denied by a policy")
	_, p := newCluster(t, interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return denied }})
	nodes, err := p.Nodes(t.Context(), osm, image)
	if !errors.Is(err, denied) || nodes.Nodes == nil || len(nodes.Nodes) > 0 || !strings.Contains(nodes.Overdue, "denied by a policy") {
		t.Errorf("%+v, %v, want no node and the denial", nodes, err)
	}
}

func TestPodsThatPullNeedNoPrivileges(t *testing.T) {
	set := image.daemonSet(osm)
	pod := set.Spec.Template.Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pods have a token")
	}
	if pod.InitContainers[0].Image != image.Reference || pod.Containers[0].Image != image.Init {
		t.Errorf("the images are %s and %s", pod.InitContainers[0].Image, pod.Containers[0].Image)
	}
	if other := (Image{Namespace: image.Namespace, Reference: image.Reference, Init: "init:3"}).daemonSet(osm); other.Name == set.Name {
		t.Error("other images have the same name")
	}
}

// TestLateNodesAreObservedRarely keeps a mesh that waits for a node from listing the pods in each of its reconciliations.
func TestLateNodesAreObservedRarely(t *testing.T) {
	lists := 0
	c, p := newCluster(t, interceptor.Funcs{List: func(ctx context.Context, w client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
		lists++
		return w.List(ctx, list, o...)
	}})
	for range 2 {
		if _, err := p.Nodes(t.Context(), osm, image); err != nil {
			t.Fatal(err)
		}
	}
	c.now = noon.Add(Timeout + time.Second)
	before := lists
	for range 29 {
		if pulled, err := p.Nodes(t.Context(), osm, image); err != nil || pulled.Overdue == "" {
			t.Fatal(pulled, err)
		}
		c.now = c.now.Add(time.Second)
	}
	if got := lists - before; got != 1 {
		t.Errorf("the pods were listed %d times in 29 seconds, want once", got)
	}
}

// TestPodsFitOnFullNodes: slots of pods there have their resources already, and change when their node has the image.
func TestPodsFitOnFullNodes(t *testing.T) {
	c, p := newCluster(t, interceptor.Funcs{})
	if _, err := p.Nodes(t.Context(), osm, image); err != nil {
		t.Fatal(err)
	}
	spec := c.daemonSets(t)[0].Spec.Template.Spec
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			// Without a value, that of the limit counts.
			if request, isSet := container.Resources.Requests[name]; !isSet || !request.IsZero() {
				t.Errorf("the container %s requests %s of %s, want 0", container.Name, request.String(), name)
			}
		}
	}
}
