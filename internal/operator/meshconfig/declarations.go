package meshconfig

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// preset is the spec of a new MeshConfig.
//
//go:embed preset.yaml
var preset []byte

// declaration is a field of the MeshConfig that the Mesh decides.
type declaration struct {
	// field is the field of the Mesh.
	field string
	// path is the field of the MeshConfig, without "spec".
	path []string
	// value is a JSON value.
	value any
}

// Undeclared returns a MeshConfig with a spec, which it changes: without the fields that the Mesh decides.
func Undeclared(mesh *v1alpha1.Mesh, namespace string, spec map[string]any) (*unstructured.Unstructured, error) {
	declared, err := declarations(mesh)
	if err != nil {
		return nil, err
	}
	for _, d := range declared {
		unstructured.RemoveNestedField(spec, d.path...)
	}
	object := bareMeshConfig(namespace)
	object.Object["spec"] = spec
	return object, nil
}

// declarations lists what a Mesh decides, in a steady order.
func declarations(mesh *v1alpha1.Mesh) ([]declaration, error) {
	var all []declaration
	declare(&all, "spec.controlPlane.logLevel", ptr.Deref(mesh.Spec.ControlPlane, v1alpha1.ControlPlaneSpec{}).LogLevel, "observability", "osmLogLevel")
	sidecar := ptr.Deref(mesh.Spec.Sidecar, v1alpha1.SidecarSpec{})
	declare(&all, "spec.sidecar.image", sidecar.Image, "sidecar", "envoyImage")
	declare(&all, "spec.sidecar.logLevel", sidecar.LogLevel, "sidecar", "logLevel")
	if sidecar.Resources != nil {
		resources, err := runtime.DefaultUnstructuredConverter.ToUnstructured(sidecar.Resources)
		if err != nil {
			return nil, fmt.Errorf("spec.sidecar.resources cannot be read: %w", err)
		}
		declare(&all, "spec.sidecar.resources", &resources, "sidecar", "resources")
	}
	if sidecar.Classes != nil {
		classes, err := sidecarClasses(sidecar.Classes)
		if err != nil {
			return nil, err
		}
		declare(&all, "spec.sidecar.classes", &classes, "sidecar", "classes")
	}
	declare(&all, "spec.sidecar.statistics", sidecar.Statistics, "sidecar", "statistics")
	declare(&all, "spec.sidecar.destinations", sidecar.Destinations, "sidecar", "destinations")
	declare(&all, "spec.sidecar.sourceAddresses", sidecar.SourceAddresses, "sidecar", "sourceAddresses")
	traffic := ptr.Deref(mesh.Spec.Traffic, v1alpha1.TrafficSpec{})
	declare(&all, "spec.traffic.permissive", traffic.Permissive, "traffic", "enablePermissiveTrafficPolicyMode")
	declare(&all, "spec.traffic.egress", traffic.Egress, "traffic", "enableEgress")
	declare(&all, "spec.traffic.rulesWithoutMatches", traffic.RulesWithoutMatches, "traffic", "rulesWithoutMatches")
	observability := ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{})
	if log := observability.AccessLog; log != nil && log.Sampling != nil {
		declare(&all, "spec.observability.accessLog.sampling", new(log.Sampling.Number()), "observability", "accessLog", "samplingPercentage")
	}
	tracing := ptr.Deref(observability.Tracing, v1alpha1.TracingSpec{})
	declare(&all, "spec.observability.tracing.enabled", tracing.Enabled, "observability", "tracing", "enable")
	declare(&all, "spec.observability.tracing.protocol", tracing.Protocol, "observability", "tracing", "protocol")
	if tracing.Sampling != nil {
		declare(&all, "spec.observability.tracing.sampling", new(tracing.Sampling.Number()), "observability", "tracing", "samplingPercentage")
	}
	certificates := ptr.Deref(mesh.Spec.Certificates, v1alpha1.CertificatesSpec{})
	if d := certificates.ServiceCertificateDuration; d != nil {
		declare(&all, "spec.certificates.serviceCertificateDuration", new(d.Value().String()), "certificate", "serviceCertValidityDuration")
	}
	// The size in the MeshConfig is about RSA keys only.
	if key := certificates.Key; key != nil && key.Size != nil && ptr.Deref(key.Algorithm, v1alpha1.ECDSA) == v1alpha1.RSA {
		declare(&all, "spec.certificates.key.size", new(int64(*key.Size)), "certificate", "certKeyBitSize")
	}
	return all, nil
}

// declare adds a field that the Mesh sets.
func declare[T any](all *[]declaration, field string, value *T, path ...string) {
	if value != nil {
		*all = append(*all, declaration{field, path, *value})
	}
}

// bareMeshConfig is a MeshConfig without a spec.
func bareMeshConfig(namespace string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": configv1alpha2.GroupVersion.String(), "kind": "MeshConfig",
	}}
	object.SetNamespace(namespace)
	object.SetName(names.MeshConfig)
	return object
}

// presetMeshConfig is the MeshConfig that a mesh starts with.
func presetMeshConfig(namespace string) (*unstructured.Unstructured, error) {
	object := bareMeshConfig(namespace)
	text, err := yaml.YAMLToJSONStrict(preset)
	if err != nil {
		return nil, fmt.Errorf("the presets of the MeshConfig are damaged: %w", err)
	}
	spec := &unstructured.Unstructured{}
	if err := spec.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"Preset","spec":` + string(text) + `}`)); err != nil {
		return nil, fmt.Errorf("the presets of the MeshConfig are damaged: %w", err)
	}
	object.Object["spec"] = spec.Object["spec"]
	return object, nil
}

// declaredMeshConfig is a MeshConfig that has only what the Mesh decides.
func declaredMeshConfig(namespace string, declared []declaration) (*unstructured.Unstructured, error) {
	object := bareMeshConfig(namespace)
	for _, d := range declared {
		if err := unstructured.SetNestedField(object.Object, d.value, append([]string{"spec"}, d.path...)...); err != nil {
			return nil, fmt.Errorf("%s cannot be written into the MeshConfig: %w", d.field, err)
		}
	}
	return object, nil
}

// fieldsOf names the fields of the Mesh that decide some fields of the MeshConfig, such as "spec.traffic.enableEgress".
func fieldsOf(declared []declaration, paths []string) []string {
	var fields []string
	for _, d := range declared {
		prefix := "spec." + strings.Join(d.path, ".")
		if slices.ContainsFunc(paths, func(path string) bool { return path == prefix || strings.HasPrefix(path, prefix+".") }) {
			fields = append(fields, d.field)
		}
	}
	return fields
}

// appliedFields lists the fields below spec that a manager owns by server-side apply, as sorted paths. An item of a
// list counts as the whole list.
func appliedFields(entries []metav1.ManagedFieldsEntry, manager string) ([]string, error) {
	var paths []string
	for _, entry := range entries {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return nil, fmt.Errorf("the fields that %s owns cannot be read: %w", manager, err)
		}
		set.Leaves().Iterate(func(path fieldpath.Path) {
			if fields := fieldNames(path); len(fields) > 0 && fields[0] == "spec" {
				paths = append(paths, strings.Join(fields, "."))
			}
		})
	}
	return lists.Unique(paths), nil
}

// fieldNames returns the names of the fields in a path, up to the first item of a list.
func fieldNames(path fieldpath.Path) []string {
	var fields []string
	for _, element := range path {
		if element.FieldName == nil {
			break
		}
		fields = append(fields, *element.FieldName)
	}
	return fields
}

// leafFields lists the fields of an object below spec, as sorted paths.
func leafFields(object *unstructured.Unstructured) []string {
	var paths []string
	var walk func(value any, path []string)
	walk = func(value any, path []string) {
		if content, ok := value.(map[string]any); ok && len(content) > 0 {
			for key, below := range content {
				walk(below, append(slices.Clone(path), key))
			}
			return
		}
		paths = append(paths, strings.Join(path, "."))
	}
	if spec, ok := object.Object["spec"]; ok {
		walk(spec, []string{"spec"})
	}
	slices.Sort(paths)
	return paths
}

// without lists what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(path string) bool { return slices.Contains(b, path) })
}

// copyFields copies some fields of an object into another, at their values. A field that is gone is left out.
func copyFields(from, to *unstructured.Unstructured, paths []string) error {
	for _, path := range paths {
		fields := strings.Split(path, ".")
		value, found, err := unstructured.NestedFieldCopy(from.Object, fields...)
		if err != nil || !found {
			continue
		}
		if err := unstructured.SetNestedField(to.Object, value, fields...); err != nil {
			return fmt.Errorf("the field %s cannot be handed back: %w", path, err)
		}
	}
	return nil
}
