package analyze

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// acting finds policies that do not act, or not for long.
func (a *analysis) acting() {
	for _, object := range append(slices.Clone(a.mesh.Objects), a.mesh.Others...) {
		s := subjectOf(object)
		kind := object.GroupVersionKind().GroupKind()
		if version, known := a.current[kind]; known {
			a.version(s, version)
			a.rejected(s)
		}
		switch {
		case kind.Kind == "Backpressure" && kind.Group == policyGroup:
			a.add(codeDeprecated, s, "Backpressure is deprecated: write an UpstreamTrafficSetting, with the same limits in spec.connectionSettings and the DNS name of the Service as spec.host.")
		case slices.Contains(a.idle, kind):
			a.add(codeNotActedOn, s, "This version of the mesh does not act on objects of kind %s, so it does nothing: see docs/compatibility.md for what to use.", kind.Kind)
		}
		_, acted := a.current[kind]
		if acted && a.policies[catalog.Kind(kind.Kind)] && kind.Kind != "Retry" && !a.view.InMesh(object.GetNamespace()) && !a.mesh.Partial {
			a.add(codeOutsideMesh, s, "The namespace %s is not part of the mesh %s, so it has no effect: add the namespace with `osm namespace add %s`, or move the object.", object.GetNamespace(), a.mesh.Name, object.GetNamespace())
		}
	}
	a.permissive()
}

const (
	policyGroup = "policy.openservicemesh.io"
	configGroup = "config.openservicemesh.io"
)

// NotActedOn are the kinds of Open Service Mesh that the mesh does nothing about.
func NotActedOn() []schema.GroupKind {
	all := []schema.GroupKind{
		{Group: policyGroup, Kind: "Egress"},
		{Group: policyGroup, Kind: "IngressBackend"},
		{Group: policyGroup, Kind: "Telemetry"},
		{Group: configGroup, Kind: "MeshRootCertificate"},
		{Group: configGroup, Kind: "MultiClusterService"},
		{Group: configGroup, Kind: "ExtensionService"},
		{Group: traffic.TCPRoute.Group, Kind: "UDPRoute"},
	}
	acted := currentVersions()
	return slices.DeleteFunc(all, func(kind schema.GroupKind) bool { _, known := acted[kind]; return known })
}

// currentVersions are the versions in which policies and settings are stored.
func currentVersions() map[schema.GroupKind]string {
	current := map[schema.GroupKind]string{{Group: configGroup, Kind: "MeshConfig"}: "v1alpha2"}
	for _, source := range traffic.Sources() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		current[kind.GroupKind()] = kind.Version
	}
	return current
}

// version compares the version that an object is written in. A cluster shows all objects in one version, but kubectl notes what
// was applied.
func (a *analysis) version(s subject, current string) {
	written := s.object.GetAPIVersion()
	var applied metav1.TypeMeta
	if json.Unmarshal([]byte(s.object.GetAnnotations()[corev1.LastAppliedConfigAnnotation]), &applied) == nil && applied.APIVersion != "" {
		written = applied.APIVersion
	}
	group, version, found := strings.Cut(written, "/")
	if found && version != current {
		a.add(codeDeprecated, s, "It is written in the version %s of %s, which is deprecated: write apiVersion: %s/%s.", version, s.kind, group, current)
	}
}

// rejected repeats what sidecars have said about a policy.
func (a *analysis) rejected(s subject) {
	var state struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	raw, _, _ := unstructured.NestedMap(s.object.Object, "status")
	if runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &state) != nil {
		return
	}
	for _, c := range state.Conditions {
		if c.Reason == status.ReasonRejectedByProxy && c.Status == metav1.ConditionFalse {
			a.add(codeRejected, s, "%s", c.Message)
		}
	}
}

// permissive counts the TrafficTargets that permissive mode makes idle: one finding for the mesh, and one for each namespace with a
// word of its own.
func (a *analysis) permissive() {
	idle := map[string]int{}
	for _, target := range entries[*catalog.TrafficTarget](a) {
		if a.view.Permissive(target.Destination.Namespace) {
			idle[target.Destination.Namespace]++
		}
	}
	byMesh := 0
	for _, namespace := range slices.Sorted(maps.Keys(idle)) {
		if slices.Contains(a.view.Outspoken(), namespace) {
			a.add(codePermissive, a.subject(catalog.KindNamespace, catalog.Name{Name: namespace}), "The namespace is permissive, so %s in it restrict nobody.", counted(idle[namespace], "TrafficTarget"))
		} else {
			byMesh += idle[namespace]
		}
	}
	if byMesh > 0 {
		a.add(codePermissive, a.config(), "The mesh is permissive, so %s restrict nobody. `osm plan` shows who would be denied without it.", counted(byMesh, "TrafficTarget"))
	}
}

// config is the MeshConfig that counts.
func (a *analysis) config() subject {
	for ref, object := range a.objects {
		if ref.Kind == catalog.KindSettings {
			return subjectOf(object)
		}
	}
	return subject{kind: "MeshConfig", namespace: a.mesh.Namespace, name: "osm-mesh-config"}
}
