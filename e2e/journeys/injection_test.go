package journeys

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// dryRunPod creates a pod as a dry run: it passes admission and never runs.
func dryRunPod(t *testing.T, namespace, annotation string, change func(*corev1.Pod)) (*corev1.Pod, error) {
	t.Helper()
	_, pod := cluster.TestPod(namespace, uniqueName("trial"))
	pod.Spec.ServiceAccountName = "default"
	if annotation != "" {
		pod.Annotations = map[string]string{names.InjectionAnnotation: annotation}
	}
	if change != nil {
		change(pod)
	}
	err := cluster.Client.Create(t.Context(), pod, client.DryRunAll)
	return pod, err
}

// annotatedNamespace creates a namespace in the mesh with an injection annotation, or without one if it is empty.
func annotatedNamespace(t *testing.T, prefix, annotation string, labels map[string]string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: uniqueName(prefix), Labels: map[string]string{names.MonitoredByLabel: names.DefaultMesh}, Annotations: map[string]string{},
	}}
	for key, value := range labels {
		ns.Labels[key] = value
	}
	if annotation != "" {
		ns.Annotations[names.InjectionAnnotation] = annotation
	}
	lab.Must(t, cluster.Client.Create(t.Context(), ns))
	cleanUp(t, ns.Name)
	return ns.Name
}

func TestInjectionFollowsAnnotationsAndNamespaces(t *testing.T) {
	t.Parallel()
	enabled := annotatedNamespace(t, "enabled", "enabled", nil)
	disabled := annotatedNamespace(t, "disabled", "disabled", nil)
	unset := annotatedNamespace(t, "silent", "", nil)
	ignored := annotatedNamespace(t, "ignored", "enabled", map[string]string{names.IgnoreLabel: ""})
	for _, c := range []struct {
		name, namespace, annotation string
		want                        bool
	}{
		{"namespace enabled", enabled, "", true},
		{"namespace enabled, pod disabled", enabled, "disabled", false},
		{"namespace enabled, pod \"no\"", enabled, "no", false},
		{"namespace disabled", disabled, "", false},
		{"namespace disabled, pod enabled", disabled, "enabled", true},
		{"no annotation", unset, "", false},
		{"only the pod is enabled", unset, "yes", true},
		{"ignored namespace", ignored, "enabled", false},
		{"namespace outside of the mesh", "default", "enabled", false},
		{"namespace of Kubernetes", "kube-system", "enabled", false},
		{"namespace of the mesh", names.DefaultNamespace, "enabled", false},
		{"namespace of the operator", names.OperatorNamespace, "enabled", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := func(*corev1.Pod) {}
			if c.namespace == names.OperatorNamespace {
				change = restricted
			}
			pod, err := dryRunPod(t, c.namespace, c.annotation, change)
			lab.Must(t, err)
			if got := hasSidecar(pod); got != c.want {
				t.Errorf("the pod has a sidecar: %t, want %t", got, c.want)
			}
		})
	}
}

// restricted makes a pod comply with the restricted pod security level.
func restricted(pod *corev1.Pod) {
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
}

func TestPodsThatBypassSidecarAreRejected(t *testing.T) {
	t.Parallel()
	ns := annotatedNamespace(t, "refused", "enabled", nil)
	user := int64(names.ProxyUID)
	for _, c := range []struct {
		name   string
		change func(*corev1.Pod)
		parts  []string
	}{
		{"container with the sidecar's user", func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext.RunAsUser = &user }, []string{"container app", "1500", "runAsUser"}},
		{"pod with the sidecar's user", func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &user} }, []string{"1500"}},
		{"port of the sidecar", func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: names.InboundPort}}
		}, []string{"15003", "container app"}},
		{"invalid injection annotation", func(p *corev1.Pod) {
			p.Annotations = map[string]string{names.InjectionAnnotation: "perhaps"}
		}, []string{"perhaps", "enabled or disabled"}},
		{"invalid port list", func(p *corev1.Pod) {
			p.Annotations = map[string]string{names.OutboundPortExclusionAnnotation: "80,http"}
		}, []string{"http", names.OutboundPortExclusionAnnotation}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dryRunPod(t, ns, "", c.change)
			requireRejection(t, err, c.parts...)
		})
	}
}
