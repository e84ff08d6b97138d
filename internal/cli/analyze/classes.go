package analyze

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// classes reports annotations of namespaces and pods whose class of sidecars has no effect. Without a MeshConfig, as in files of a team, nothing is known of
// classes.
func (a *analysis) classes() {
	object := a.config().object
	config := &configv1alpha2.MeshConfig{}
	if object == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, config) != nil {
		return
	}
	for _, object := range a.mesh.Objects {
		switch {
		case object.GetKind() == "Namespace" && a.view.InMesh(object.GetName()):
			a.class(config, subjectOf(object), nil, object)
		case object.GetKind() == "Pod" && a.view.InMesh(object.GetNamespace()) && object.GetAnnotations()[names.SidecarClassAnnotation] != "":
			owner := manifests.OwnerOf(object)
			namespace := a.objects[entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Name: object.GetNamespace()}}]
			a.class(config, subject{kind: owner.Kind, namespace: owner.Namespace, name: owner.Name, object: object}, object.GetAnnotations(), namespace)
		}
	}
}

func (a *analysis) class(config *configv1alpha2.MeshConfig, s subject, pod map[string]string, namespace *unstructured.Unstructured) {
	if namespace == nil {
		return
	}
	meta := metav1.ObjectMeta{Name: namespace.GetName(), Labels: namespace.GetLabels(), Annotations: namespace.GetAnnotations()}
	if _, problem := ingest.SidecarClass(config.Spec.Sidecar.Classes, pod, meta); problem != "" {
		a.add(codeUnknownClass, s, "%s.", strings.ToUpper(problem[:1])+problem[1:])
	}
}
