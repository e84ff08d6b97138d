package pull

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var (
	osm   = &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm", UID: types.UID("1")}}
	image = Image{Namespace: "osm-system", Reference: "envoy:2", Init: "init:2"}
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

// cluster is an API server without kubelets, at a time. All its nodes are ready.
type cluster struct {
	client.Client
	t     *testing.T
	now   time.Time
	ready map[string]bool
	// lists counts the lists of pods. denied is why pods of some nodes are rejected.
	lists  int
	denied map[string]error
}

func newCluster(t *testing.T, nodes ...string) (*cluster, *Puller) {
	t.Helper()
	c := &cluster{t: t, now: noon, ready: map[string]bool{}, denied: map[string]error{}}
	for _, node := range nodes {
		c.ready[node] = true
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubernetes.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&corev1.Pod{}).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, object client.Object, o ...client.CreateOption) error {
			object.SetCreationTimestamp(metav1.NewTime(c.now))
			if pod, isPod := object.(*corev1.Pod); isPod && c.denied[nodeOf(pod)] != nil {
				return c.denied[nodeOf(pod)]
			}
			return w.Create(ctx, object, o...)
		},
		List: func(ctx context.Context, w client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			if _, arePods := list.(*corev1.PodList); arePods {
				c.lists++
			}
			return w.List(ctx, list, o...)
		},
	}).Build()
	return c, c.newPuller()
}

// newPuller returns a Puller that knows nothing yet.
func (c *cluster) newPuller() *Puller { return New(c, c, c, func() time.Time { return c.now }) }

// ReadyNodes returns the nodes of the cluster.
func (c *cluster) ReadyNodes(context.Context) (map[string]bool, error) { return c.ready, nil }

// nodeOf is the node that a pod has to run on.
func nodeOf(pod *corev1.Pod) string {
	return pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0]
}

// pods returns the pods that pull, by node.
func (c *cluster) pods() map[string]corev1.Pod {
	c.t.Helper()
	var list corev1.PodList
	if err := c.List(c.t.Context(), &list, client.MatchingLabels{names.PullLabel: osm.Name}); err != nil {
		c.t.Fatal(err)
	}
	pods := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		pods[nodeOf(&pod)] = pod
	}
	return pods
}

// asked returns the nodes with a pod, sorted.
func (c *cluster) asked() []string {
	var nodes []string
	for node := range c.pods() {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	return nodes
}

// daemonSets counts the DaemonSets.
func (c *cluster) daemonSets() int {
	c.t.Helper()
	var list appsv1.DaemonSetList
	if err := c.List(c.t.Context(), &list); err != nil {
		c.t.Fatal(err)
	}
	return len(list.Items)
}

// end ends the Envoy of the image on a node.
func (c *cluster) end(node string, exitCode int32) {
	c.t.Helper()
	c.set(node, func(s *corev1.PodStatus) {
		s.InitContainerStatuses = []corev1.ContainerStatus{{
			Name: pullContainer, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode}},
		}}
	})
}

// set changes the status of the pod on a node.
func (c *cluster) set(node string, change func(*corev1.PodStatus)) {
	c.t.Helper()
	pod, found := c.pods()[node]
	if !found {
		c.t.Fatalf("no pod pulls on %s", node)
	}
	change(&pod.Status)
	if err := c.Status().Update(c.t.Context(), &pod); err != nil {
		c.t.Fatal(err)
	}
}

// pass advances the time.
func (c *cluster) pass(d time.Duration) { c.now = c.now.Add(d) }

// ask asks for nodes of the present wave, and returns what is known.
func (c *cluster) ask(p *Puller, nodes ...string) rollout.Pulled {
	c.t.Helper()
	pulled, err := p.Nodes(c.t.Context(), osm, request(nodes...))
	if err != nil {
		c.t.Fatal(err)
	}
	return pulled
}

// request returns a request for nodes of the present wave.
func request(nodes ...string) Request {
	return Request{Image: image, Demand: rollout.Demand{Now: nodes}, Parallelism: 10}
}

// contains reports whether a text has all parts.
func contains(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
