package delivery

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// shopPolicy allows the client to call the server.
const shopPolicy = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: delivery}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: server, namespace: delivery}
spec:
  destination: {kind: ServiceAccount, name: server, namespace: delivery}
  sources: [{kind: ServiceAccount, name: client, namespace: delivery}]
  rules: [{kind: HTTPRouteGroup, name: books}]
`

// startTraffic deploys a client and a server in the mesh, and sends 50 requests a second.
func startTraffic(t *testing.T) *lab.Running[report.Requests] {
	t.Helper()
	return startTrafficIn(t, names.DefaultMesh)
}

// trafficNamespace is the namespace of the client and the server.
const trafficNamespace = "delivery"

func startTrafficIn(t *testing.T, mesh string) *lab.Running[report.Requests] {
	t.Helper()
	const namespace = trafficNamespace
	lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, mesh))
	t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.Background(), namespace)) })
	lab.Must(t, cluster.Apply(t.Context(), shopPolicy))
	account, pod := cluster.TestPod(namespace, "client")
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	account, pod = cluster.TestPod(namespace, "server")
	lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, "server"), serverDeployment(pod)))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	agent := cluster.Agent(t.Context(), namespace, "client", lab.AgentPort)
	url := fmt.Sprintf("http://server.%s:%d/books", namespace, lab.HTTPPort)
	_, err := agent.AwaitOutcome(t.Context(), time.Minute, url, "200")
	lab.Must(t, err)
	running, err := agent.StartRequests(t.Context(), url, "--rate", "50")
	lab.Must(t, err)
	return running
}

// serverDeployment returns a Deployment of two pods, which is restarted when a mesh is upgraded.
func serverDeployment(pod *corev1.Pod) *appsv1.Deployment {
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	pod.Spec.Containers[0].ReadinessProbe.TimeoutSeconds, pod.Spec.Containers[0].ReadinessProbe.FailureThreshold = 10, 3
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec},
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
		},
	}
}

// finishTraffic requires that every request succeeded.
func finishTraffic(t *testing.T, running *lab.Running[report.Requests]) {
	t.Helper()
	result, err := running.Stop(t.Context())
	lab.Must(t, err)
	failed := result.Failed()
	t.Logf("%d of %d requests failed: %v %v", failed, result.Requests, result.Outcomes, result.Errors)
	if failed > 0 || result.Requests < 500 || !result.IsRepresentative() {
		t.Errorf("%d of %d requests failed, want 0 of at least 500: %v", failed, result.Requests, result.Failures)
	}
}

// awaitStandBy waits until an operator reports that another one is active.
func awaitStandBy(t *testing.T, namespace string) {
	t.Helper()
	lab.Eventually(t, podLimit, "the operator in namespace "+namespace+" stands by", func(ctx context.Context) (bool, string, error) {
		list := &eventsv1.EventList{}
		err := cluster.Client.List(ctx, list, client.InNamespace(namespace))
		for i := range list.Items {
			if list.Items[i].Reason == "StandingBy" {
				t.Log(list.Items[i].Note)
				return true, "", err
			}
		}
		return false, fmt.Sprintf("%d Events", len(list.Items)), err
	})
}

// requireReconciled changes the Mesh, and waits until an operator has acted on the change.
func requireReconciled(t *testing.T, patch string) {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	mesh.Name = names.DefaultMesh
	lab.Must(t, cluster.Patch(t.Context(), mesh, patch))
	lab.Eventually(t, podLimit, "an operator reads the changed Mesh", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(mesh), mesh)
		return mesh.Status.ObservedGeneration == mesh.Generation, fmt.Sprintf("generation %d of %d", mesh.Status.ObservedGeneration, mesh.Generation), err
	})
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, podLimit))
}

// stopOperator deletes the operator of a namespace, which an admission policy rejects without an annotation.
func stopOperator(ctx context.Context, namespace string) error {
	if _, err := cluster.Kubectl(ctx, "--namespace", namespace, "annotate", "deployment", names.Operator, "--overwrite", "operator.openservicemesh.io/allow-deletion=true"); err != nil {
		return err
	}
	_, err := cluster.Kubectl(ctx, "--namespace", namespace, "delete", "deployment", names.Operator, "--wait")
	return err
}

// restoreOperator installs the operator by kubectl again.
func restoreOperator(t *testing.T) {
	t.Helper()
	lab.Must(t, cluster.InstallOperator(context.Background(), installLimit))
	lab.Must(t, cluster.MeshReady(context.Background(), names.DefaultMesh, installLimit))
}

// restoreMesh resets what commits have changed in the Mesh, and installs the operator by kubectl again.
func restoreMesh(t *testing.T) {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	mesh.Name = names.DefaultMesh
	lab.Must(t, cluster.Patch(context.Background(), mesh, `{"spec":{"version":null,"controlPlane":null}}`))
	restoreOperator(t)
}

// createNamespace creates a namespace for another operator. It is deleted after the operator of kubectl is there again, because the admission
// policies protect the namespace of the operator. Policies that belong to the namespace are deleted with it, and created again.
func createNamespace(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{}
	namespace.Name = name
	lab.Must(t, cluster.Create(t.Context(), namespace))
	t.Cleanup(func() {
		restoreOperator(t)
		_, err := cluster.Kubectl(context.Background(), "delete", "namespace", name, "--wait", "--timeout", podLimit.String())
		lab.Must(t, err)
		restoreOperator(t)
	})
}
