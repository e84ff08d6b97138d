package values

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Declaration is what an installation declares.
type Declaration struct {
	Mesh *v1alpha1.Mesh
	// MeshConfig are fields of the MeshConfig's spec that no field of the Mesh decides; nil without any.
	MeshConfig map[string]any
	// Notes tell about values that ask for what is so anyway.
	Notes []string
}

// Translate makes the declaration of a mesh: OSM's presets, which are permissive and open to the outside, changed by sets.
func Translate(name, namespace string, sets []string) (*Declaration, error) {
	return declare(name, namespace, &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(true)}, sets)
}

// Inherit makes the declaration of a mesh that takes over a MeshConfig: what sets do not name stays as it is there.
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
	return d, nil
}

// Changes makes a declaration of what sets name alone, for a mesh that exists: what they do not name is nil.
func Changes(name string, sets []string) (*Declaration, error) {
	assignments, err := parse(sets)
	if err != nil {
		return nil, err
	}
	d := &Declaration{Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}}}
	for _, a := range assignments {
		if a.name == "osm.meshName" || a.name == "osm.osmNamespace" || a.name == "osm.trustDomain" {
			return nil, fmt.Errorf("--set %s=%s: a mesh keeps its name, its namespace and its trust domain: uninstall it and install another one to change them", a.name, a.value)
		}
		if err := d.set(a); err != nil {
			return nil, fmt.Errorf("--set %s=%s: %w", a.name, a.value, err)
		}
	}
	return d, nil
}

func (d *Declaration) set(a assignment) error {
	if translate := translations[a.name]; translate != nil {
		return translate(d, a.value)
	}
	for _, r := range refusals {
		if a.name == r.prefix || strings.HasPrefix(a.name, r.prefix+".") {
			if slices.Contains(r.harmless, a.value) {
				d.Notes = append(d.Notes, fmt.Sprintf("--set %s=%s changes nothing: that is how it is", a.name, a.value))
				return nil
			}
			return fmt.Errorf("%s", r.instead)
		}
	}
	return fmt.Errorf("OSM's chart has no such value that a Mesh knows; `kubectl explain mesh.spec` lists what a Mesh declares")
}
