package dataplane

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// kubelet returns a node with a version of its kubelet.
func kubelet(name, version string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: version}}}
}

// A message that lists nodes in another order each time would be a new one each time.
func TestOldKubeletsAreSorted(t *testing.T) {
	plane := planeOf(kubelet("a", "v1.30.1"), kubelet("b", "v1.30.1"))
	plane.cache = reversedCache{plane.cache}
	old, err := plane.OldKubelets(t.Context())
	if err != nil || !slices.Equal(old, []string{"a (v1.30.1)", "b (v1.30.1)"}) {
		t.Errorf("the old kubelets are %q (%v)", old, err)
	}
}

// A check that takes a failed list for a cluster without old kubelets lets an upgrade in place begin.
func TestNodesThatCannotBeListed(t *testing.T) {
	broken := errors.New("no connection")
	plane := &Plane{cache: failingCache{err: broken}}
	_, old := plane.OldKubelets(t.Context())
	_, ready := plane.ReadyNodes(t.Context())
	for name, err := range map[string]error{"OldKubelets": old, "ReadyNodes": ready} {
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "the nodes cannot be listed") {
			t.Errorf("the error of %s is %v", name, err)
		}
	}
}

// A node that has just joined may not have reported its operating system.
func TestNodesWithoutASystemCanRunSidecars(t *testing.T) {
	for system, can := range map[string]bool{"": true, "linux": true, "windows": false} {
		n := kubelet("a", "v1.30.1")
		n.Status.NodeInfo.OperatingSystem = system
		if got := canRunSidecars(n); got != can {
			t.Errorf("a node with the system %q can run sidecars: %t, want %t", system, got, can)
		}
	}
}

// TestOldKubeletsRequestReconciliations of all meshes, when there is one more or one less.
func TestOldKubeletsRequestReconciliations(t *testing.T) {
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), v1alpha1.AddToScheme(known)); err != nil {
		t.Fatal(err)
	}
	mesh := func(name string) client.Object { return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	driven := &drivenCache{}
	queue := begin(t, watchKubelets(&Plane{cache: driven, namespaces: fake.NewClientBuilder().WithScheme(known).WithObjects(mesh("a"), mesh("b")).Build()}))
	nodes, older, newer := driven.informer(t, &corev1.Node{}), kubelet("n", "v1.30.1"), kubelet("n", "v1.36.0")
	for name, test := range map[string]struct {
		event    func()
		requests bool
	}{
		"an old kubelet joins":    {func() { nodes.Add(older) }, true},
		"a new kubelet joins":     {func() { nodes.Add(newer) }, false},
		"a kubelet is upgraded":   {func() { nodes.Update(older, newer) }, true},
		"an old kubelet reports":  {func() { nodes.Update(older, older) }, false},
		"an old kubelet is gone":  {func() { nodes.Delete(older) }, true},
		"a new kubelet is gone":   {func() { nodes.Delete(newer) }, false},
		"a kubelet is taken back": {func() { nodes.Update(newer, older) }, true},
		"a new kubelet reports":   {func() { nodes.Update(newer, newer) }, false},
	} {
		test.event()
		meshes := queue.take()
		slices.Sort(meshes)
		if want := []string{"a", "b"}; test.requests != slices.Equal(meshes, want) || !test.requests && len(meshes) > 0 {
			t.Errorf("%s: it requests %q, and all meshes: %t", name, meshes, test.requests)
		}
	}
}

// What the cache keeps of nodes is little: a kubelet reports hundreds of images and labels.
func TestCacheKeepsLittleOfNodes(t *testing.T) {
	n := kubelet("a", "v1.30.1")
	n.Labels, n.Annotations = map[string]string{"zone": "1"}, map[string]string{"csi": "large"}
	n.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	if _, err := strip(n); err != nil || len(n.Labels)+len(n.Annotations)+len(n.ManagedFields) > 0 || n.Name != "a" {
		t.Errorf("the cache keeps %+v (%v)", n.ObjectMeta, err)
	}
}
