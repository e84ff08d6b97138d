package values

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Declaration is the desired state of an installation.
type Declaration struct {
	Mesh *v1alpha1.Mesh
	// MeshConfig holds MeshConfig fields that the Mesh does not have. It may be nil.
	MeshConfig map[string]any
	// Notes describe values that have no effect because they match the default.
	Notes []string

	provider certificateProvider
}

// Translate returns the declaration of a new mesh: OSM's presets (permissive mode and egress enabled), overridden by sets.
func Translate(name, namespace string, sets []string) (*Declaration, error) {
	return declare(name, namespace, &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(true)}, sets)
}

// Inherit returns the declaration of a mesh with an existing MeshConfig: only sets are changed.
func Inherit(name, namespace string, sets []string) (*Declaration, error) {
	return declare(name, namespace, nil, sets)
}

func declare(name, namespace string, traffic *v1alpha1.TrafficSpec, sets []string) (*Declaration, error) {
	assignments, err := parse(sets)
	if err != nil {
		return nil, err
	}
	d := &Declaration{Mesh: &v1alpha1.Mesh{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.MeshSpec{Namespace: &namespace, Traffic: traffic},
	}}
	for _, a := range assignments {
		if err := d.set(a); err != nil {
			return nil, fmt.Errorf("--set %s=%s: %w", a.name, a.value, err)
		}
	}
	return d, d.setProvider()
}

// Changes returns a declaration with only the fields in sets, for an existing mesh.
func Changes(name string, sets []string) (*Declaration, error) {
	assignments, err := parse(sets)
	if err != nil {
		return nil, err
	}
	d := &Declaration{Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}}}
	for _, a := range assignments {
		if a.name == "osm.meshName" || a.name == "osm.osmNamespace" {
			return nil, fmt.Errorf("--set %s=%s: name and namespace of a mesh are immutable: uninstall the mesh and install a new one", a.name, a.value)
		}
		if err := d.set(a); err != nil {
			return nil, fmt.Errorf("--set %s=%s: %w", a.name, a.value, err)
		}
	}
	return d, d.setProvider()
}

func (d *Declaration) set(a assignment) error {
	if translate := translations[a.name]; translate != nil {
		return translate(d, a.value)
	}
	for _, r := range unsupportedValues {
		if a.name == r.prefix || strings.HasPrefix(a.name, r.prefix+".") {
			if slices.Contains(r.harmless, a.value) {
				d.Notes = append(d.Notes, fmt.Sprintf("--set %s=%s has no effect: it is the default", a.name, a.value))
				return nil
			}
			return fmt.Errorf("%s", r.instead)
		}
	}
	if flag, found := strings.CutPrefix(a.name, "osm.featureFlags."); found && isFeatureFlag(flag) {
		return configBoolean("featureFlags", flag)(d, a.value)
	}
	return fmt.Errorf("unknown value, or a value without an equivalent in the Mesh; see `kubectl explain mesh.spec` for the fields of a Mesh")
}
