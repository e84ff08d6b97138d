package removal

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// policy allows the buyer to call an app on /books and over TCP.
const policy = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: %[1]s}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: lines, namespace: %[1]s}
spec: {matches: {ports: [9000, 9001]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: buyer, namespace: %[1]s}, {kind: ServiceAccount, name: cart, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: books}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[2]s-lines, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: buyer, namespace: %[1]s}]
  rules: [{kind: TCPRoute, name: lines}]
`

// template returns a pod template of the test tools, and creates its service account and Service.
func (m mesh) template(name string) corev1.PodTemplateSpec {
	m.t.Helper()
	account, pod := cluster.TestPod(m.shop(), name)
	lab.Must(m.t, cluster.Create(m.t.Context(), account, lab.TestService(m.shop(), name)))
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// deploy creates a Deployment with a rolling update that loses no request.
func (m mesh) deploy(name string, replicas int32) {
	m.t.Helper()
	template := m.template(name)
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	lab.Must(m.t, cluster.Create(m.t.Context(), &appsv1.Deployment{ObjectMeta: m.objectMeta(name), Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
	}}))
}

// deploySet creates a StatefulSet.
func (m mesh) deploySet(name string, replicas int32) {
	m.t.Helper()
	template := m.template(name)
	lab.Must(m.t, cluster.Create(m.t.Context(), &appsv1.StatefulSet{ObjectMeta: m.objectMeta(name), Spec: appsv1.StatefulSetSpec{
		ServiceName: name, Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
	}}))
}

// pod creates a bare pod, and waits until it is ready.
func (m mesh) pod(namespace, name string, injection string) *lab.Agent {
	m.t.Helper()
	account, pod := cluster.TestPod(namespace, name)
	if injection != "" {
		pod.Annotations = map[string]string{names.InjectionAnnotation: injection}
	}
	lab.Must(m.t, cluster.Create(m.t.Context(), account, pod))
	lab.Eventually(m.t, podLimit, "pod "+name+" is ready", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && lab.IsReady(pod), string(pod.Status.Phase), err
	})
	return cluster.Agent(m.t.Context(), namespace, name, lab.AgentPort)
}

// awaitReady waits until all workloads of the shop are ready.
func (m mesh) awaitReady() {
	m.t.Helper()
	lab.Must(m.t, cluster.Available(m.t.Context(), podLimit, m.shop()))
}

// sidecars counts the live pods of an app, and those with a sidecar.
func (m mesh) sidecars(ctx context.Context, app string) (pods, injected int, err error) {
	var list corev1.PodList
	if err := cluster.Client.List(ctx, &list, client.InNamespace(m.shop()), client.MatchingLabels{lab.AppLabel: app}); err != nil {
		return 0, 0, err
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp != nil {
			continue
		}
		pods++
		if _, has := list.Items[i].Labels[names.ProxyUUIDLabel]; has {
			injected++
		}
	}
	return pods, injected, nil
}

func (m mesh) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: m.shop(), Name: name}
}

// url returns the URL of an app.
func (m mesh) url(app string) string {
	return fmt.Sprintf("http://%s.%s:%d/books", app, m.shop(), lab.HTTPPort)
}

// awaitAnswer waits until requests to an app succeed.
func (m mesh) awaitAnswer(agent *lab.Agent, app string) {
	m.t.Helper()
	_, err := agent.AwaitOutcome(m.t.Context(), 30*time.Second, m.url(app), "200")
	lab.Must(m.t, err)
}

// load is a constant rate of requests to an app.
type load struct {
	name    string
	running *lab.Running[report.Requests]
}

// startLoad starts a load.
func (m mesh) startLoad(what string, agent *lab.Agent, app, rate string) load {
	m.t.Helper()
	m.awaitAnswer(agent, app)
	running, err := agent.StartRequests(m.t.Context(), m.url(app), "--rate", rate)
	lab.Must(m.t, err)
	return load{what + " to " + app, running}
}

// finishLoad stops a load and requires that every request succeeded.
func (m mesh) finishLoad(s load) {
	m.t.Helper()
	result, err := s.running.Stop(m.t.Context())
	lab.Must(m.t, err)
	failed := result.Requests - result.Outcomes["200"]
	m.t.Logf("%s: %d of %d requests failed, %v %v, late by up to %s", s.name, failed, result.Requests, result.Outcomes, result.Errors, result.Late)
	if failed > 0 || result.Requests < 100 {
		m.t.Errorf("%s: %d of %d requests failed, want 0 of at least 100: %v", s.name, failed, result.Requests, result.Failures)
	}
}
