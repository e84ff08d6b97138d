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
	"github.com/openservicemesh/osm-operator/internal/names"
)

// mall has namespaces that are part of a mesh, with a Deployment of one pod in each shop. A restarted Deployment gets the sidecar of the
// injector that the API server would ask for that namespace.
type mall struct {
	t    *testing.T
	mesh string
	// shops are the names of the Deployments by namespace.
	shops map[string][]string

	mu sync.Mutex
	// moves are the restarts in their order.
	moves  []move
	broken []string
	stop   func()
}

// upgradePatience is how long several steps of an upgrade may take, each of which is looked at every other second.
const upgradePatience = 2 * patience

// hostAnnotation says on a pod where its sidecar finds its control plane.
const hostAnnotation = "host"

// move is a restart: which namespace, whose sidecar it got, and which revision had the mesh's own Deployments then.
type move struct{ namespace, sidecar, base string }

// openMall makes the namespaces, and plays Deployment controller, injector and kubelet for them until the test ends. No injector
// answers in this cluster, so each pod is made once, before its namespace is part of the mesh; a restart changes what it carries.
func openMall(t *testing.T, mesh string, shops map[string][]string) *mall {
	t.Helper()
	m := &mall{t: t, mesh: mesh, shops: shops}
	for namespace, list := range shops {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		for _, name := range list {
			m.open(namespace, name)
		}
		change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = mesh })
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			m.work(ctx)
			m.inspect(ctx)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	m.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(func() {
		m.stop()
		for _, problem := range m.broken {
			t.Error(problem)
		}
	})
	return m
}

// open makes a Deployment, and its pod with the sidecar of the mesh's own injector.
func (m *mall) open(namespace, name string) {
	m.t.Helper()
	s := &shop{t: m.t, mesh: m.mesh, namespace: namespace}
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
	pod := s.pod(name, "1", s.base(m.t.Context()))
	create(m.t, pod)
	m.ready(m.t.Context(), pod)
}

// ready makes a pod ready now.
func (m *mall) ready(ctx context.Context, pod *corev1.Pod) {
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}}
	_ = cluster.client.Status().Update(ctx, pod)
}

// work gives the pod of every Deployment whose template has changed the sidecar that a new pod would get.
func (m *mall) work(ctx context.Context) {
	for namespace, list := range m.shops {
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

// replace does to a pod what replacing it would.
func (m *mall) replace(ctx context.Context, namespace, name string) bool {
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
	// The control plane beside the mesh's own has the host that its injector's name tells.
	pod.Annotations = map[string]string{hostAnnotation: names.Controller + strings.TrimPrefix(service, names.Injector)}
	if cluster.client.Update(ctx, pod) != nil {
		return false
	}
	m.ready(ctx, pod)
	base, _ := owner(ctx, m.mesh, names.Injector)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moves = append(m.moves, move{namespace, revision, base})
	return true
}

// webhook is the Service of the one injector that the API server would ask. None, or two, is an error.
func (m *mall) webhook(ctx context.Context, namespace string) (string, error) {
	home := &corev1.Namespace{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: namespace}, home); err != nil {
		return "", err
	}
	configuration := &admissionv1.MutatingWebhookConfiguration{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(m.mesh)}, configuration); err != nil {
		return "", err
	}
	var asked []string
	for _, webhook := range configuration.Webhooks {
		selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
		if err != nil {
			return "", err
		}
		if selector.Matches(labels.Set(home.Labels)) {
			asked = append(asked, webhook.ClientConfig.Service.Name)
		}
	}
	if len(asked) != 1 {
		return "", fmt.Errorf("the API server asks %v about a pod of %s, want exactly one injector", asked, namespace)
	}
	return asked[0], nil
}

// owner is the revision that runs a Deployment of the control plane.
func owner(ctx context.Context, mesh, deployment string) (string, error) {
	d := &appsv1.Deployment{ObjectMeta: inHome(mesh, deployment)}
	if err := cluster.client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return "", err
	}
	if reference := metav1.GetControllerOf(d); reference != nil {
		return reference.Name, nil
	}
	return "", fmt.Errorf("%s is nobody's", deployment)
}

// inspect sees that at every moment some injector would answer, and that every sidecar has a control plane under the name it knows.
func (m *mall) inspect(ctx context.Context) {
	for namespace, list := range m.shops {
		service, err := m.webhook(ctx, namespace)
		if err != nil {
			continue
		}
		// What was there a moment ago may have gone in order.
		if problem := m.unserved(ctx, service); problem != nil {
			if again, err := m.webhook(ctx, namespace); err == nil && again == service {
				m.complain("a pod of %s would wait for an injector: %v", namespace, problem)
			}
		}
		for _, name := range list {
			m.host(ctx, namespace, name)
		}
	}
}

// host sees that the Service which leads a sidecar that began with a canary exists, and leads to pods of a Deployment.
func (m *mall) host(ctx context.Context, namespace, name string) {
	pod := &corev1.Pod{}
	if cluster.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name + "-1"}, pod) != nil || pod.Annotations[hostAnnotation] == "" {
		return
	}
	host := pod.Annotations[hostAnnotation]
	if problem := m.unserved(ctx, host); problem != nil && ctx.Err() == nil {
		m.complain("the sidecar of %s has lost its control plane %s: %v", pod.Name, host, problem)
	}
}

// unserved says why a Service leads to nobody. One that leads elsewhere by now may have left what it led to.
func (m *mall) unserved(ctx context.Context, name string) error {
	leadsTo := func() (string, error) {
		service := &corev1.Service{ObjectMeta: inHome(m.mesh, name)}
		err := cluster.client.Get(ctx, client.ObjectKeyFromObject(service), service)
		return service.Spec.Selector[names.AppLabel], err
	}
	for {
		app, err := leadsTo()
		if err != nil {
			return err
		}
		if _, err = owner(ctx, m.mesh, app); err == nil {
			return nil
		}
		if again, _ := leadsTo(); again == app {
			return fmt.Errorf("Service %s leads to %s: %w", name, app, err)
		}
	}
}

func (m *mall) complain(format string, arguments ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text := fmt.Sprintf(format, arguments...); !slices.Contains(m.broken, text) {
		m.broken = append(m.broken, text)
	}
}

// sidecars counts the pods of a namespace by the revision of their sidecar.
func (m *mall) sidecars(namespace string) map[string]int {
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
func (m *mall) wait(namespace, revision string) {
	m.t.Helper()
	m.waitSome(namespace, revision, len(m.shops[namespace]))
}

// waitSome waits until some pods of a namespace have it.
func (m *mall) waitSome(namespace, revision string, pods int) {
	m.t.Helper()
	within(m.t, upgradePatience, func() error {
		if have := m.sidecars(namespace); have[revision] != pods {
			return fmt.Errorf("namespace %s has sidecars of %v, want %d of %s", namespace, have, pods, revision)
		}
		return nil
	})
}

// moved are the restarts so far.
func (m *mall) moved() []move {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.moves)
}

// demolish deletes all pods, as their owners do when they leave.
func (m *mall) demolish() {
	m.stop()
	for namespace := range m.shops {
		if err := cluster.client.DeleteAllOf(m.t.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
			m.t.Fatal(err)
		}
	}
}

// trying asks for upgrades that begin in one namespace.
func trying(namespace string) func(*v1alpha1.MeshSpec) {
	return func(spec *v1alpha1.MeshSpec) {
		quick(spec)
		spec.Upgrade.Strategy = ptr.To(v1alpha1.StrategyCanary)
		spec.Upgrade.Canary = &v1alpha1.CanarySpec{Namespaces: metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}}
	}
}
