package analyze

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/fields"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// acting finds policies that have no effect, or use deprecated versions.
func (a *analysis) acting() {
	for _, object := range append(slices.Clone(a.mesh.Objects), a.mesh.Others...) {
		s := subjectOf(object)
		kind := object.GroupVersionKind().GroupKind()
		if version, known := a.current[kind]; known {
			a.version(s, version)
			a.reported(s)
		}
		switch {
		case kind.Kind == "Backpressure" && kind.Group == policyGroup:
			a.add(codeDeprecated, s, "Backpressure is deprecated: use an UpstreamTrafficSetting with the same limits in spec.connectionSettings and the DNS name of the Service in spec.host.")
		case slices.Contains(a.idle, kind) && kind == kinds.MultiClusterService.GroupKind():
			a.add(codeNotActedOn, s, "Kind %s has no effect in this mesh: print a ServiceImport for it with `osm translate --to peers`, or delete it.", kind.Kind)
		case slices.Contains(a.idle, kind):
			a.add(codeNotActedOn, s, "This version does not support kind %s, so the object has no effect: see docs/compatibility.md for alternatives.", kind.Kind)
		}
		_, acted := a.current[kind]
		if acted && a.policies[entity.Kind(kind.Kind)] && !a.anywhere[kind.Kind] && !a.view.InMesh(object.GetNamespace()) &&
			!a.mesh.Partial && !a.isMeshWide(object) {
			a.add(codeOutsideMesh, s, "Namespace %s is not part of mesh %s, so the object has no effect: add the namespace with `osm namespace add %s`, or move the object.", object.GetNamespace(), a.mesh.Name, object.GetNamespace())
		}
	}
	a.permissive()
}

// isMeshWide reports whether an object in the namespace of the mesh concerns all namespaces.
func (a *analysis) isMeshWide(object *unstructured.Unstructured) bool {
	kind, _ := kinds.Lookup(object.GroupVersionKind().GroupKind())
	return kind.MeshWide && object.GetNamespace() == a.view.Settings().Namespace
}

const (
	policyGroup = "policy.openservicemesh.io"
	configGroup = "config.openservicemesh.io"
)

// NotActedOn returns the OSM kinds that the mesh does not support.
func NotActedOn() []schema.GroupKind {
	all := []schema.GroupKind{
		{Group: configGroup, Kind: "MultiClusterService"},
		{Group: kinds.TCPRoute.Group, Kind: "UDPRoute"},
	}
	acted := currentVersions()
	return slices.DeleteFunc(all, func(kind schema.GroupKind) bool { _, known := acted[kind]; return known })
}

// currentVersions returns the storage versions of policies and settings.
func currentVersions() map[schema.GroupKind]string {
	current := map[schema.GroupKind]string{
		{Group: configGroup, Kind: "MeshConfig"}: "v1alpha2", {Group: configGroup, Kind: "MeshRootCertificate"}: "v1alpha2",
	}
	for _, source := range kinds.Policies() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		current[kind.GroupKind()] = kind.Version
	}
	return current
}

// version reports deprecated API versions. The API server returns all objects in one version, so the version comes from kubectl's
// last-applied annotation.
func (a *analysis) version(s subject, current string) {
	written := s.object.GetAPIVersion()
	var applied metav1.TypeMeta
	if json.Unmarshal([]byte(s.object.GetAnnotations()[corev1.LastAppliedConfigAnnotation]), &applied) == nil && applied.APIVersion != "" {
		written = applied.APIVersion
	}
	group, version, found := strings.Cut(written, "/")
	if found && version != current {
		// The API server converts it, so it stays in force: nobody has to rewrite the objects of OSM.
		a.reportf(codeDeprecated, diagnosis.Info, s, "Version %s of %s is converted to %s: use apiVersion %s/%s in new objects.", version, s.kind, current, group, current)
	}
}

// reported reports what sidecars report about policies: that they rejected one, or that its server does not answer.
func (a *analysis) reported(s subject) {
	conditions, err := kinds.ConditionsOf(s.object)
	if err != nil {
		return // written by something else than the control plane
	}
	for _, c := range conditions {
		if c.Reason == kinds.ReasonRejectedByProxy && c.Status == metav1.ConditionFalse {
			a.add(codeRejected, s, "%s", c.Message)
		}
		if c.Type == kinds.ConditionServiceAnswers && c.Status == metav1.ConditionFalse {
			a.add(codeNoAnswer, s, "%s", c.Message)
		}
		if c.Reason == kinds.ReasonHostNotResolved && c.Status == metav1.ConditionFalse {
			a.add(codeUnresolved, s, "%s", c.Message)
		}
	}
}

// permissive reports TrafficTargets without effect in permissive mode: one finding for the mesh, and one for each namespace with its
// own setting.
func (a *analysis) permissive() {
	idle := map[string]int{}
	for _, target := range entries[*catalog.TrafficTarget](a) {
		if a.view.Permissive(target.Destination.Namespace) {
			idle[target.Destination.Namespace]++
		}
	}
	byMesh := 0
	for _, namespace := range slices.Sorted(maps.Keys(idle)) {
		if slices.Contains(a.view.PermissiveOverrides(), namespace) {
			a.add(codePermissive, a.subject(entity.KindNamespace, entity.Name{Name: namespace}), "The namespace is in permissive mode, so its TrafficTargets have no effect: %s.", output.Count(idle[namespace], "TrafficTarget"))
		} else {
			byMesh += idle[namespace]
		}
	}
	if byMesh > 0 {
		a.add(codePermissive, a.config(), "The mesh is in permissive mode, so TrafficTargets have no effect: %s. `osm plan` shows which traffic would be denied without it.", output.Count(byMesh, "TrafficTarget"))
	}
}

// config returns the MeshConfig in use. Others, of another name or namespace, have no effect.
func (a *analysis) config() subject {
	name := entity.Name{Namespace: a.mesh.Namespace, Name: names.MeshConfig}
	if object := a.objects[entity.Ref{Kind: entity.KindSettings, Name: name}]; object != nil {
		return subjectOf(object)
	}
	return subject{kind: "MeshConfig", namespace: name.Namespace, name: name.Name}
}

// unknownFields reports fields of objects in files that their kind does not have. The API server drops such fields of stored objects.
func (a *analysis) unknownFields() {
	if !a.mesh.Partial {
		return
	}
	schemas, err := fields.Read()
	if err != nil {
		a.unread = append(a.unread, err.Error())
		return
	}
	for _, object := range a.mesh.Objects {
		for _, unknown := range schemas.Find(object) {
			a.add(codeUnknownField, subjectOf(object), "%s is not a field of this kind, so it has no effect: use one of %s.", unknown.Path, strings.Join(unknown.Known, ", "))
		}
	}
}
