package ingest

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// SidecarClass returns the class that an annotation of a pod names, or else one of its namespace; nil without one, and for one that has no effect. The
// problem is a sentence that says why it has none. Such a pod gets the sidecar of a pod without a class: the platform team may remove a class at any time, and
// pods must start.
func SidecarClass(classes []configv1alpha2.SidecarClass, pod map[string]string, namespace metav1.ObjectMeta) (
	class *configv1alpha2.SidecarClass, problem string,
) {
	where, name := "pod", pod[names.SidecarClassAnnotation]
	if name == "" {
		where, name = "namespace "+namespace.Name, namespace.Annotations[names.SidecarClassAnnotation]
	}
	if name == "" {
		return nil, ""
	}
	at := slices.IndexFunc(classes, func(class configv1alpha2.SidecarClass) bool { return class.Name == name })
	reason := ""
	if at < 0 {
		reason = "the mesh has no such class of sidecars" + others(classes)
	} else {
		reason = rejectClass(&classes[at], namespace)
	}
	if reason != "" {
		return nil, fmt.Sprintf("the annotation %s=%s of the %s has no effect: %s", names.SidecarClassAnnotation, name, where, reason)
	}
	return &classes[at], ""
}

// rejectClass returns why the pods of a namespace may not have a class; empty if they may.
func rejectClass(class *configv1alpha2.SidecarClass, namespace metav1.ObjectMeta) string {
	if class.NamespaceSelector == nil {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(class.NamespaceSelector)
	if err != nil {
		return fmt.Sprintf("the namespaceSelector of the class is not a label selector: %v", err)
	}
	if selector.Matches(labels.Set(namespace.Labels)) {
		return ""
	}
	return fmt.Sprintf("the class is for namespaces with the labels %s: use another class, or have the platform team permit this one", selector)
}

// others names the classes that exist.
func others(classes []configv1alpha2.SidecarClass) string {
	if len(classes) == 0 {
		return ": spec.sidecar.classes of the Mesh is empty"
	}
	return ": use " + strings.Join(lists.Map(classes, func(c configv1alpha2.SidecarClass) string { return c.Name }), " or ")
}
