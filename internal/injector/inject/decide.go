package inject

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Decision states whether a pod gets a sidecar, and why.
type Decision struct {
	Inject bool
	// Reason is one sentence for logs and admission responses.
	Reason string
	// Unprotected is true if injection was requested but the pod cannot have a sidecar. Its user gets a warning.
	Unprotected bool
}

func notInjected(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...)}
}

func unprotected(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...), Unprotected: true}
}

// ShouldInject decides as OSM does: the pod's annotation has precedence over its namespace's, and injection is off without either.
// It returns an error for an annotation with an unknown value.
func ShouldInject(pod *corev1.Pod, ns Namespace, c Config) (Decision, error) {
	if d, outside := outsideMesh(ns, c); outside {
		return d, nil
	}
	onPod, podSet, err := parseSwitch("pod", pod.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	onNamespace, namespaceSet, err := parseSwitch("namespace "+ns.Name, ns.Annotations, names.InjectionAnnotation)
	if err != nil {
		return Decision{}, err
	}
	switch {
	case podSet && !onPod:
		return notInjected("the pod's annotation %s turns injection off", names.InjectionAnnotation), nil
	case !podSet && namespaceSet && !onNamespace:
		return notInjected("the annotation %s of namespace %s turns injection off", names.InjectionAnnotation, ns.Name), nil
	case !podSet && !namespaceSet:
		return notInjected("neither the pod nor namespace %s has the annotation %s", ns.Name, names.InjectionAnnotation), nil
	}
	return checkPossible(pod), nil
}

// outsideMesh reports namespaces whose pods never get a sidecar.
func outsideMesh(ns Namespace, c Config) (Decision, bool) {
	switch {
	case names.IsSystemNamespace(ns.Name):
		return notInjected("namespace %s belongs to Kubernetes", ns.Name), true
	case ns.Name == c.Namespace, ns.Name == names.OperatorNamespace:
		return notInjected("namespace %s runs components of the mesh", ns.Name), true
	}
	if _, ignored := ns.Labels[names.IgnoreLabel]; ignored {
		return notInjected("namespace %s has the label %s", ns.Name, names.IgnoreLabel), true
	}
	if ns.Labels[names.MonitoredByLabel] != c.Mesh {
		return notInjected("namespace %s is not part of the mesh %s", ns.Name, c.Mesh), true
	}
	return Decision{}, false
}

// checkPossible reports pods that cannot have a sidecar.
func checkPossible(pod *corev1.Pod) Decision {
	switch _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; {
	case mirror:
		return unprotected("the pod mirrors a static pod, which the kubelet runs from a file on its node: it gets no sidecar, " +
			"and workloads of the mesh refuse its connections")
	case pod.Spec.HostNetwork:
		return unprotected("the pod uses the network of its node, where its traffic cannot be distinguished from the node's: " +
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

// parseSwitch parses an annotation that enables or disables a feature; isSet is false if the annotation is absent.
func parseSwitch(where string, annotations map[string]string, key string) (on, isSet bool, err error) {
	value, isSet := annotations[key]
	if !isSet {
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
