package meshconfig

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
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
	add := func(field string, value any, path ...string) {
		all = append(all, declaration{field: field, path: path, value: value})
	}
	if c := mesh.Spec.ControlPlane; c != nil && c.LogLevel != nil {
		add("spec.controlPlane.logLevel", *c.LogLevel, "observability", "osmLogLevel")
	}
	if c := mesh.Spec.Sidecar; c != nil {
		if c.Image != nil {
			add("spec.sidecar.image", *c.Image, "sidecar", "envoyImage")
		}
		if c.LogLevel != nil {
			add("spec.sidecar.logLevel", *c.LogLevel, "sidecar", "logLevel")
		}
		if c.Resources != nil {
			resources, err := resourcesMap(c.Resources)
			if err != nil {
				return nil, err
			}
			add("spec.sidecar.resources", resources, "sidecar", "resources")
		}
		if c.Statistics != nil {
			add("spec.sidecar.statistics", *c.Statistics, "sidecar", "statistics")
		}
		if c.Destinations != nil {
			add("spec.sidecar.destinations", *c.Destinations, "sidecar", "destinations")
		}
	}
	if c := mesh.Spec.Traffic; c != nil {
		if c.Permissive != nil {
			add("spec.traffic.permissive", *c.Permissive, "traffic", "enablePermissiveTrafficPolicyMode")
		}
		if c.Egress != nil {
			add("spec.traffic.egress", *c.Egress, "traffic", "enableEgress")
		}
		if c.RulesWithoutMatches != nil {
			add("spec.traffic.rulesWithoutMatches", *c.RulesWithoutMatches, "traffic", "rulesWithoutMatches")
		}
	}
	if c := mesh.Spec.Observability; c != nil && c.Tracing != nil {
		if c.Tracing.Enabled != nil {
			add("spec.observability.tracing.enabled", *c.Tracing.Enabled, "observability", "tracing", "enable")
		}
		if c.Tracing.Protocol != nil {
			add("spec.observability.tracing.protocol", *c.Tracing.Protocol, "observability", "tracing", "protocol")
		}
		if c.Tracing.Sampling != nil {
			add("spec.observability.tracing.sampling", c.Tracing.Sampling.Number(), "observability", "tracing", "samplingPercentage")
		}
	}
	if c := mesh.Spec.Certificates; c != nil {
		if c.ServiceCertificateDuration != nil {
			add("spec.certificates.serviceCertificateDuration", c.ServiceCertificateDuration.Value().String(), "certificate", "serviceCertValidityDuration")
		}
		// The size in the MeshConfig is about RSA keys only.
		if c.Key != nil && c.Key.Size != nil && ptr.Deref(c.Key.Algorithm, v1alpha1.ECDSA) == v1alpha1.RSA {
			add("spec.certificates.key.size", int64(*c.Key.Size), "certificate", "certKeyBitSize")
		}
	}
	return all, nil
}

// resourcesMap writes resources as JSON would.
func resourcesMap(resources *corev1.ResourceRequirements) (map[string]any, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(resources)
	if err != nil {
		return nil, fmt.Errorf("spec.sidecar.resources cannot be read: %w", err)
	}
	return content, nil
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
		for _, path := range paths {
			if path == prefix || strings.HasPrefix(path, prefix+".") {
				fields = append(fields, d.field)
				break
			}
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
	slices.Sort(paths)
	return slices.Compact(paths), nil
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
