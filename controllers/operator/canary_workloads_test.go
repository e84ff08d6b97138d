package operator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// canaryWorkloads are Deployments of one pod each, in namespaces of a mesh. A restarted Deployment gets the sidecar of the injector whose
// webhook selects its namespace.
type canaryWorkloads struct {
	t    *testing.T
	mesh string
	// deployments are the names of the Deployments by namespace.
	deployments map[string][]string

	mu sync.Mutex
	// restarts are the restarts in their order. problems are violations of invariants.
	restarts []restart
	problems []string
	stop     func()
}

// upgradeTimeout is the timeout for several steps of an upgrade, which are reconciled every two seconds.
const upgradeTimeout = 2 * defaultTimeout

// hostAnnotation is the annotation of a pod with the Service of its control plane.
const hostAnnotation = "host"

// restart is the restart of a workload: its namespace, the revision of the new sidecar, and the active revision at that time.
type restart struct{ namespace, sidecar, active string }

// newCanaryWorkloads creates the namespaces, and simulates Deployment controller, injector and kubelet until the test ends. No injector
// runs in this cluster, so each pod is created once, before its namespace joins the mesh. A restart changes its labels.
func newCanaryWorkloads(t *testing.T, mesh string, deployments map[string][]string) *canaryWorkloads {
	t.Helper()
	m := &canaryWorkloads{t: t, mesh: mesh, deployments: deployments}
	for namespace, list := range deployments {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		for _, name := range list {
			m.createWorkload(namespace, name)
		}
		change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = mesh })
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			m.restartPods(ctx)
			m.checkServices(ctx)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	m.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(func() {
		m.stop()
		for _, problem := range m.problems {
			t.Error(problem)
		}
	})
	return m
}

// createWorkload creates a Deployment and its pod with the sidecar of the active injector.
func (m *canaryWorkloads) createWorkload(namespace, name string) {
	m.t.Helper()
	s := &workloads{t: m.t, mesh: m.mesh, namespace: namespace}
	labels := map[string]string{"app": name}
	create(m.t, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
			},
		},
	})
	pod := s.pod(name, "1", s.activeRevision(m.t.Context()))
	create(m.t, pod)
	m.setReady(m.t.Context(), pod)
}

// setReady makes a pod ready.
func (m *canaryWorkloads) setReady(ctx context.Context, pod *corev1.Pod) {
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}}
	_ = cluster.client.Status().Update(ctx, pod)
}

// restartPods updates the pod of every Deployment with a changed template to the sidecar of a new pod.
func (m *canaryWorkloads) restartPods(ctx context.Context) {
	for namespace, list := range m.deployments {
		for _, name := range list {
			d := &appsv1.Deployment{}
			if cluster.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d) != nil || d.Status.ObservedGeneration == d.Generation {
				continue
			}
			if d.Generation > 1 && !m.replace(ctx, namespace, name) {
				continue
			}
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
			_ = cluster.client.Status().Update(ctx, d)
		}
	}
}

// replace simulates the replacement of a pod.
func (m *canaryWorkloads) replace(ctx context.Context, namespace, name string) bool {
	service, err := m.webhook(ctx, namespace)
	if err != nil {
		return false
	}
	revision, err := owner(ctx, m.mesh, service)
	if err != nil {
		return false
	}
	pod := &corev1.Pod{}
	if cluster.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name + "-1"}, pod) != nil {
		return false
	}
	pod.Labels[names.RevisionLabel] = revision
	// The Services of the injector and the controller of a canary have the same suffix.
	pod.Annotations = map[string]string{hostAnnotation: names.Controller + strings.TrimPrefix(service, names.Injector)}
	if cluster.client.Update(ctx, pod) != nil {
		return false
	}
	m.setReady(ctx, pod)
	active, _ := owner(ctx, m.mesh, names.Injector)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restarts = append(m.restarts, restart{namespace, revision, active})
	return true
}

// webhook returns the Service of the only injector that the API server would call for a namespace. Any other number is an error.
func (m *canaryWorkloads) webhook(ctx context.Context, namespace string) (string, error) {
	selected := &corev1.Namespace{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: namespace}, selected); err != nil {
		return "", err
	}
	configuration := &admissionv1.MutatingWebhookConfiguration{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(m.mesh)}, configuration); err != nil {
		return "", err
	}
	var called []string
	for _, webhook := range configuration.Webhooks {
		selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
		if err != nil {
			return "", err
		}
		if selector.Matches(labels.Set(selected.Labels)) {
			called = append(called, webhook.ClientConfig.Service.Name)
		}
	}
	if len(called) != 1 {
		return "", fmt.Errorf("the API server calls %v for a pod of %s, want exactly one injector", called, namespace)
	}
	return called[0], nil
}

// owner returns the revision that has applied a Deployment of the control plane.
func owner(ctx context.Context, mesh, deployment string) (string, error) {
	d := &appsv1.Deployment{ObjectMeta: inMeshNamespace(mesh, deployment)}
	if err := cluster.client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return "", err
	}
	return d.Spec.Template.Labels[names.ControlPlaneRevisionLabel], nil
}

// checkServices checks that an injector is reachable for every namespace, and a control plane for every sidecar.
func (m *canaryWorkloads) checkServices(ctx context.Context) {
	for namespace, list := range m.deployments {
		service, err := m.webhook(ctx, namespace)
		if err != nil {
			continue
		}
		// The webhook may have changed since it was read.
		if problem := m.findBackend(ctx, service); problem != nil {
			if again, err := m.webhook(ctx, namespace); err == nil && again == service {
				m.report("a pod of %s has no injector: %v", namespace, problem)
			}
		}
		for _, name := range list {
			m.checkHost(ctx, namespace, name)
		}
	}
}

// checkHost checks that the Service of the control plane of a sidecar exists and selects pods of a Deployment.
func (m *canaryWorkloads) checkHost(ctx context.Context, namespace, name string) {
	pod := &corev1.Pod{}
	if cluster.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name + "-1"}, pod) != nil || pod.Annotations[hostAnnotation] == "" {
		return
	}
	host := pod.Annotations[hostAnnotation]
	if problem := m.findBackend(ctx, host); problem != nil && ctx.Err() == nil {
		m.report("the sidecar of %s has lost its control plane %s: %v", pod.Name, host, problem)
	}
}

// findBackend returns an error if a Service selects no Deployment. It retries if the selector changed in the meantime.
func (m *canaryWorkloads) findBackend(ctx context.Context, name string) error {
	selected := func() (string, error) {
		service := &corev1.Service{ObjectMeta: inMeshNamespace(m.mesh, name)}
		err := cluster.client.Get(ctx, client.ObjectKeyFromObject(service), service)
		return service.Spec.Selector[names.AppLabel], err
	}
	for {
		app, err := selected()
		if err != nil {
			return err
		}
		if _, err = owner(ctx, m.mesh, app); err == nil {
			return nil
		}
		if again, _ := selected(); again == app {
			return fmt.Errorf("Service %s selects %s: %w", name, app, err)
		}
	}
}

func (m *canaryWorkloads) report(format string, arguments ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text := fmt.Sprintf(format, arguments...); !slices.Contains(m.problems, text) {
		m.problems = append(m.problems, text)
	}
}

// sidecars returns the number of pods of a namespace by the revision of their sidecar.
func (m *canaryWorkloads) sidecars(namespace string) map[string]int {
	var list corev1.PodList
	if err := cluster.client.List(m.t.Context(), &list, client.InNamespace(namespace)); err != nil {
		m.t.Fatal(err)
	}
	count := map[string]int{}
	for i := range list.Items {
		count[list.Items[i].Labels[names.RevisionLabel]]++
	}
	return count
}

// wait waits until all pods of a namespace have the sidecar of a revision.
func (m *canaryWorkloads) wait(namespace, revision string) {
	m.t.Helper()
	m.waitPods(namespace, revision, len(m.deployments[namespace]))
}

// waitPods waits until a number of pods of a namespace have the sidecar of a revision.
func (m *canaryWorkloads) waitPods(namespace, revision string, pods int) {
	m.t.Helper()
	within(m.t, upgradeTimeout, func() error {
		if have := m.sidecars(namespace); have[revision] != pods {
			return fmt.Errorf("namespace %s has sidecars of %v, want %d of %s", namespace, have, pods, revision)
		}
		return nil
	})
}

// recordedRestarts returns the restarts so far.
func (m *canaryWorkloads) recordedRestarts() []restart {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.restarts)
}

// deletePods stops the simulation and deletes all pods.
func (m *canaryWorkloads) deletePods() {
	m.stop()
	for namespace := range m.deployments {
		if err := cluster.client.DeleteAllOf(m.t.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
			m.t.Fatal(err)
		}
	}
}

// canaryIn configures canary upgrades with one canary namespace.
func canaryIn(namespace string) func(*v1alpha1.MeshSpec) {
	return func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.Strategy = &v1alpha1.UpgradeStrategy{
			Type:   ptr.To(v1alpha1.StrategyCanary),
			Canary: &v1alpha1.CanarySpec{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}},
		}
	}
}
