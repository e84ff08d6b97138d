package analyze

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// keyPrefix is the prefix of the keys of annotations and labels of a mesh.
const keyPrefix = "openservicemesh.io/"

// knownKeys are the annotations and labels of users with the prefix, and those that OSM writes.
var knownKeys = []string{
	names.MonitoredByLabel, names.IgnoreLabel, names.InjectionAnnotation, names.MetricsAnnotation, names.PermissiveAnnotation, names.EgressGatewayAnnotation,
	names.OutboundPortExclusionAnnotation, names.InboundPortExclusionAnnotation, names.OutboundIPRangeExclusionAnnotation,
	names.OutboundIPRangeInclusionAnnotation, names.RedirectDNSAnnotation, names.DestinationsAnnotation, names.EagerDestinationsAnnotation,
	names.SidecarClassAnnotation,
	names.AnalyzeIgnoreAnnotation, names.EscapedSlashesAnnotation, names.AllowedNamespacesAnnotation, names.TapUntilAnnotation,
}

// keys reports annotations and labels of namespaces and pods that begin like those of a mesh and are none.
func (a *analysis) keys() {
	for _, object := range a.mesh.Objects {
		kind, namespace := object.GetKind(), object.GetNamespace()
		isMember := kind == "Pod" && a.view.InMesh(namespace) || kind == "Namespace" && object.GetLabels()[names.MonitoredByLabel] == a.mesh.Name
		if isMember {
			a.unknownKeys(object, "annotation", object.GetAnnotations())
			a.unknownKeys(object, "label", object.GetLabels())
		}
	}
}

func (a *analysis) unknownKeys(object *unstructured.Unstructured, what string, values map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, ours := strings.CutPrefix(key, keyPrefix)
		if !ours || slices.Contains(knownKeys, key) {
			continue
		}
		var similar []string
		for _, known := range knownKeys {
			if candidate := strings.TrimPrefix(known, keyPrefix); strings.HasPrefix(candidate, name) || strings.HasPrefix(name, candidate) {
				similar = append(similar, known)
			}
		}
		remedy := "correct it, or remove it"
		if len(similar) > 0 {
			remedy = "write " + orText(similar)
		}
		a.add(codeUnknownKey, subjectOf(object), "The mesh has no %s %s, so it has no effect: %s.", what, key, remedy)
	}
}

// orText joins the parts of a choice.
func orText(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " or " + parts[last]
}

// otherMeshes reports a namespace that asks another service mesh for sidecars.
func (a *analysis) otherMeshes(s subject, namespace *unstructured.Unstructured) {
	labels, annotations := namespace.GetLabels(), namespace.GetAnnotations()
	_, revision := labels["istio.io/rev"]
	switch {
	case labels["istio-injection"] == "enabled" || revision:
		a.add(codeTwoMeshes, s, "Istio injects its sidecars too, and calls of pods with two sidecars fail: remove the label istio-injection or istio.io/rev, or run `osm namespace remove %s`.", s.name)
	case annotations["linkerd.io/inject"] == "enabled":
		a.add(codeTwoMeshes, s, "Linkerd injects its sidecars too, and calls of pods with two sidecars fail: remove the annotation linkerd.io/inject, or run `osm namespace remove %s`.", s.name)
	}
}
