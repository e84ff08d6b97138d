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
	"github.com/openservicemesh/osm-operator/internal/names"
)

// policy lets the buyer call an app for /books and talk to it over TCP.
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

// template is a pod template of the test tools, with its account and Service.
func (m mesh) template(name string) corev1.PodTemplateSpec {
	m.t.Helper()
	account, pod := cluster.TestPod(m.shop(), name)
	must(m.t, cluster.Create(m.t.Context(), account, lab.TestService(m.shop(), name)))
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// deploy makes a Deployment that is replaced without losing a request.
func (m mesh) deploy(name string, replicas int32) {
	m.t.Helper()
	template := m.template(name)
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	must(m.t, cluster.Create(m.t.Context(), &appsv1.Deployment{ObjectMeta: m.named(name), Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
	}}))
}

// deploySet makes a StatefulSet.
func (m mesh) deploySet(name string, replicas int32) {
	m.t.Helper()
	template := m.template(name)
	must(m.t, cluster.Create(m.t.Context(), &appsv1.StatefulSet{ObjectMeta: m.named(name), Spec: appsv1.StatefulSetSpec{
		ServiceName: name, Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
	}}))
}

// pod makes a bare pod, and waits until it is ready.
func (m mesh) pod(namespace, name string, injection string) *lab.Agent {
	m.t.Helper()
	account, pod := cluster.TestPod(namespace, name)
	if injection != "" {
		pod.Annotations = map[string]string{names.InjectionAnnotation: injection}
	}
	must(m.t, cluster.Create(m.t.Context(), account, pod))
	must(m.t, lab.Until(m.t.Context(), podLimit, "pod "+name+" is ready", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err == nil && lab.IsReady(pod), string(pod.Status.Phase), err
	}))
	return cluster.Agent(m.t.Context(), namespace, name, lab.AgentPort)
}

// ready waits until everything in the shop is.
func (m mesh) ready() {
	m.t.Helper()
	must(m.t, cluster.Available(m.t.Context(), podLimit, m.shop()))
}

// sidecars counts the live pods of an app, and those of them that have a sidecar.
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

func (m mesh) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: m.shop(), Name: name}
}

// url is how apps call another one.
func (m mesh) url(app string) string {
	return fmt.Sprintf("http://%s.%s:%d/books", app, m.shop(), lab.HTTPPort)
}

// answered waits until a request to an app is answered.
func (m mesh) answered(agent *lab.Agent, app string) {
	m.t.Helper()
	must(m.t, lab.Until(m.t.Context(), 30*time.Second, "requests to "+app+" are answered", func(ctx context.Context) (bool, string, error) {
		result, err := agent.Requests(ctx, m.url(app))
		if err != nil {
			return false, "", err
		}
		return result.Outcomes["200"] == 1, fmt.Sprint(result.Outcomes, result.Errors), nil
	}))
}

// stream is a steady number of requests to an app.
type stream struct {
	what    string
	running *lab.Running[report.Requests]
}

// begin begins to send.
func (m mesh) begin(what string, agent *lab.Agent, app, rate string) stream {
	m.t.Helper()
	m.answered(agent, app)
	running, err := agent.StartRequests(m.t.Context(), m.url(app), "--rate", rate)
	must(m.t, err)
	return stream{what + " to " + app, running}
}

// end stops and wants every request answered.
func (m mesh) end(s stream) {
	m.t.Helper()
	result, err := s.running.Stop(m.t.Context())
	must(m.t, err)
	failed := result.Requests - result.Outcomes["200"]
	m.t.Logf("%s: %d of %d requests failed, %v %v, late by up to %s", s.what, failed, result.Requests, result.Outcomes, result.Errors, result.Late)
	if failed > 0 || result.Requests < 100 {
		m.t.Errorf("%s: %d of %d requests failed: none may, and 100 are the least that say something: %v", s.what, failed, result.Requests, result.Failures)
	}
}
