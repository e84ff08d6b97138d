package journeys

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// try creates a pod on trial: it is admitted or refused, and never runs.
func try(t *testing.T, namespace, annotation string, change func(*corev1.Pod)) (*corev1.Pod, error) {
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

// annotated makes a namespace in the mesh with an injection annotation, or without when it is empty.
func annotated(t *testing.T, prefix, annotation string, labels map[string]string) string {
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
	must(t, cluster.Client.Create(t.Context(), ns))
	cleanUp(t, ns.Name)
	return ns.Name
}

func TestInjectionFollowsAnnotationsAndNamespaces(t *testing.T) {
	t.Parallel()
	enabled := annotated(t, "enabled", "enabled", nil)
	disabled := annotated(t, "disabled", "disabled", nil)
	silent := annotated(t, "silent", "", nil)
	ignored := annotated(t, "ignored", "enabled", map[string]string{names.IgnoreLabel: ""})
	for _, c := range []struct {
		name, namespace, annotation string
		want                        bool
	}{
		{"namespace enabled", enabled, "", true},
		{"namespace enabled, pod disabled", enabled, "disabled", false},
		{"namespace enabled, pod says no", enabled, "no", false},
		{"namespace disabled", disabled, "", false},
		{"namespace disabled, pod enabled", disabled, "enabled", true},
		{"nobody says anything", silent, "", false},
		{"the pod alone says yes", silent, "yes", true},
		{"namespace to be ignored", ignored, "enabled", false},
		{"namespace outside of the mesh", "default", "enabled", false},
		{"Kubernetes' own namespace", "kube-system", "enabled", false},
		{"the mesh's own namespace", names.DefaultNamespace, "enabled", false},
		{"the operator's namespace", names.OperatorNamespace, "enabled", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := func(*corev1.Pod) {}
			if c.namespace == names.OperatorNamespace {
				change = restricted
			}
			pod, err := try(t, c.namespace, c.annotation, change)
			must(t, err)
			if got := hasSidecar(pod); got != c.want {
				t.Errorf("the pod has a sidecar: %t, want %t", got, c.want)
			}
		})
	}
}

// restricted fits a pod to the strictest pod security level.
func restricted(pod *corev1.Pod) {
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
}

func TestPodsThatWouldEscapeTheMeshAreRefused(t *testing.T) {
	t.Parallel()
	ns := annotated(t, "refused", "enabled", nil)
	user := int64(names.ProxyUID)
	for _, c := range []struct {
		name   string
		change func(*corev1.Pod)
		parts  []string
	}{
		{"container with the sidecar's user", func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext.RunAsUser = &user }, []string{"container app", "1500", "runAsUser"}},
		{"pod with the sidecar's user", func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &user} }, []string{"1500"}},
		{"a port of the sidecar's", func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: names.InboundPort}}
		}, []string{"15003", "container app"}},
		{"an annotation that says neither yes nor no", func(p *corev1.Pod) {
			p.Annotations = map[string]string{names.InjectionAnnotation: "perhaps"}
		}, []string{"perhaps", "enabled or disabled"}},
		{"a port list that is none", func(p *corev1.Pod) {
			p.Annotations = map[string]string{names.OutboundPortExclusionAnnotation: "80,http"}
		}, []string{"http", names.OutboundPortExclusionAnnotation}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := try(t, ns, "", c.change)
			refused(t, err, c.parts...)
		})
	}
}
