package upgrade

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// buyer is a bare pod, which is never restarted, so it keeps its first sidecar.
	buyer = "buyer"
	// archive opts out of restarts.
	archive = "archive"
	// store has two replicas, so that no request to it may fail.
	store = "store"
	// warehouse has two replicas as well.
	warehouse = "warehouse"
)

// others are workloads with one sidecar each.
var others = []string{"cart", "search", "mail"}

// policies allow buyer and cart to call an app on /books.
const policies = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: %[1]s}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: buyer, namespace: %[1]s}, {kind: ServiceAccount, name: cart, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: books}]
---
`

// totalSidecars is the number of sidecars of a shop and its bookstore.
const totalSidecars = 10 + bookstoreSidecars

// shop is a namespace of a mesh with ten sidecars, and the bookstore.
type shop struct {
	t         *testing.T
	mesh      mesh
	namespace string
}

// deployShop deploys the workloads and waits until they are ready.
func deployShop(t *testing.T, m mesh) shop {
	t.Helper()
	s := shop{t, m, m.shop()}
	lab.Must(t, cluster.CreateNamespace(t.Context(), s.namespace, m.name))
	t.Cleanup(s.close)
	s.deployBookstore()
	for _, server := range []string{store, warehouse, archive} {
		lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policies, s.namespace, server)))
	}
	account, pod := cluster.TestPod(s.namespace, buyer)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	s.deploy(store, 2, nil)
	s.deploy(warehouse, 2, nil)
	s.deploy(archive, 1, map[string]string{names.RestartLabel: "disabled"})
	for _, other := range others {
		s.deploy(other, 1, nil)
	}
	s.deploySet("ledger")
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	lab.Must(t, cluster.Available(t.Context(), podLimit, s.namespaces()...))
	return s
}

// in returns the shop for a subtest.
func (s shop) in(t *testing.T) shop {
	s.t, s.mesh.t = t, t
	return s
}

// close deletes the namespaces and waits until they are gone, because their sidecars block the removal of the Mesh.
func (s shop) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if s.t.Failed() {
		s.t.Log(cluster.Describe(ctx, s.namespace))
	}
	if err := s.mesh.deleteNamespaces(ctx); err != nil {
		s.t.Error(err)
	}
}

// namespaces returns the namespaces of the shop and of the bookstore.
func (s shop) namespaces() []string { return s.mesh.workloads() }

// template returns a pod template of the test tools, and creates its service account and Service.
func (s shop) template(name string) corev1.PodTemplateSpec {
	account, pod := cluster.TestPod(s.namespace, name)
	lab.Must(s.t, cluster.Create(s.t.Context(), account, lab.TestService(s.namespace, name)))
	// On a busy machine the end of a pod may take longer than its preStop hook and its application need.
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	// A slow probe must not count as a failure: with both pods of an app unready, the app would have no endpoint.
	relaxProbe(pod.Spec.Containers[0].ReadinessProbe)
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// relaxProbe sets the timeout and failure threshold of a probe for a busy machine.
func relaxProbe(probe *corev1.Probe) {
	probe.TimeoutSeconds, probe.FailureThreshold = probeSeconds, probeFailures
}

const (
	// probeSeconds is the timeout of a probe.
	probeSeconds = 10
	// probeFailures is the failure threshold of a probe.
	probeFailures = 3
)

// deploy creates a Deployment.
func (s shop) deploy(name string, replicas int32, labels map[string]string) {
	template := s.template(name)
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	deployment := &appsv1.Deployment{ObjectMeta: objectNamed(s.namespace, name), Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
	}}
	deployment.Labels = labels
	lab.Must(s.t, cluster.Create(s.t.Context(), deployment))
}

// deploySet creates a StatefulSet of one pod.
func (s shop) deploySet(name string) {
	template := s.template(name)
	lab.Must(s.t, cluster.Create(s.t.Context(), &appsv1.StatefulSet{ObjectMeta: objectNamed(s.namespace, name), Spec: appsv1.StatefulSetSpec{
		ServiceName: name, Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
	}}))
}

// sidecars counts the live sidecars of the shop by revision, and returns the revision of each app.
func (s shop) sidecars(ctx context.Context) (byRevision map[string]int, ofApp map[string]string, err error) {
	byRevision, ofApp = map[string]int{}, map[string]string{}
	for _, namespace := range s.namespaces() {
		var pods corev1.PodList
		if err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return nil, nil, err
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; pod.DeletionTimestamp == nil {
				byRevision[pod.Labels[names.RevisionLabel]]++
				ofApp[pod.Labels[lab.AppLabel]] = pod.Labels[names.RevisionLabel]
			}
		}
	}
	return byRevision, ofApp, nil
}

// agent returns the agent of a pod of an app.
func (s shop) agent(app string) *lab.Agent {
	s.t.Helper()
	pod, err := cluster.Pod(s.t.Context(), s.namespace, lab.AppLabel, app)
	lab.Must(s.t, err)
	return cluster.Agent(s.t.Context(), s.namespace, pod.Name, lab.AgentPort)
}

// url returns the URL of an app.
func (s shop) url(app string) string {
	return fmt.Sprintf("http://%s.%s:%d/books", app, s.namespace, lab.HTTPPort)
}

func objectNamed(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}
