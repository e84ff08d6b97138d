package inject

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Decision is whether a pod gets a sidecar, and why.
type Decision struct {
	Inject bool
	// Reason is a sentence for logs.
	Reason string
	// Unprotected is true when the pod was meant to have a sidecar and cannot have one. Its user should know.
	Unprotected bool
}

func no(format string, args ...any) Decision { return Decision{Reason: fmt.Sprintf(format, args...)} }

func unprotected(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...), Unprotected: true}
}

// ShouldInject decides about a pod as OSM does: the pod's annotation wins over its namespace's, and without any the pod
// stays as it is. It returns an error when an annotation cannot be understood.
func ShouldInject(pod *corev1.Pod, ns Namespace, c Config) (Decision, error) {
	if d, outside := outsideMesh(ns, c); outside {
		return d, nil
	}
	onPod, podSaid, err := enabled("pod", pod.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	onNamespace, namespaceSaid, err := enabled("namespace "+ns.Name, ns.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	switch {
	case podSaid && !onPod:
		return no("the pod's annotation %s turns injection off", names.InjectionAnnotation), nil
	case !podSaid && namespaceSaid && !onNamespace:
		return no("the annotation %s of namespace %s turns injection off", names.InjectionAnnotation, ns.Name), nil
	case !podSaid && !namespaceSaid:
		return no("neither the pod nor namespace %s has the annotation %s", ns.Name, names.InjectionAnnotation), nil
	}
	return possible(pod), nil
}

// outsideMesh names the namespaces whose pods never get a sidecar.
func outsideMesh(ns Namespace, c Config) (Decision, bool) {
	switch ns.Name {
	case "kube-system", "kube-public":
		return no("namespace %s belongs to Kubernetes", ns.Name), true
	case c.Namespace, names.OperatorNamespace:
		return no("namespace %s holds the mesh's own programs", ns.Name), true
	}
	if _, ignored := ns.Labels[names.IgnoreLabel]; ignored {
		return no("namespace %s has the label %s", ns.Name, names.IgnoreLabel), true
	}
	if ns.Labels[names.MonitoredByLabel] != c.Mesh {
		return no("namespace %s is not part of the mesh %s", ns.Name, c.Mesh), true
	}
	return Decision{}, false
}

// possible rules out pods that cannot have a sidecar.
func possible(pod *corev1.Pod) Decision {
	switch _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; {
	case mirror:
		return unprotected("the pod is only the image of a static pod, which its node runs as it is in a file: it gets no sidecar, " +
			"and workloads of the mesh refuse its connections")
	case pod.Spec.HostNetwork:
		return unprotected("the pod uses the network of its node, where its traffic cannot be told from the node's: " +
			"it gets no sidecar, and workloads of the mesh refuse its connections")
	case onWindows(pod):
		return unprotected("the pod runs on Windows, for which there is no sidecar: workloads of the mesh refuse its connections")
	}
	return Decision{Inject: true, Reason: "injection is enabled"}
}

func onWindows(pod *corev1.Pod) bool {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return true
	}
	return pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// enabled reads an annotation that turns something on or off; said is false when it is absent.
func enabled(where string, annotations map[string]string, key string) (on, said bool, err error) {
	value, said := annotations[key]
	if !said {
		return false, false, nil
	}
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "enabled", "yes", "true":
		return true, true, nil
	case "disabled", "no", "false":
		return false, true, nil
	}
	return false, true, fmt.Errorf("the annotation %s of the %s is %q: use enabled or disabled", key, where, value)
}
