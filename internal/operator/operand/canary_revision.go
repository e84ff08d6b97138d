package operand

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The flags that a canary control plane needs. xds-host makes its sidecars connect to it. write-status keeps it from writing the status of
// policies, which the active control plane writes.
const (
	xdsHostFlag     = "xds-host"
	writeStatusFlag = "write-status"
)

// CanaryServices renders the Services of a canary control plane: for sidecars, for reports and for the injector's webhook. With alias it
// renders only the Service for sidecars, which selects the mesh's own control plane. Sidecars never change the host that they started with,
// so this host must resolve after the canary was promoted or removed.
func (r *Release) CanaryServices(p Parameters, alias bool) ([]*unstructured.Unstructured, error) {
	if p.CanarySuffix == "" {
		return nil, fmt.Errorf("the Services of a canary cannot be rendered: the suffix is empty")
	}
	objects, err := r.render(p, servicesFile)
	if err != nil {
		return nil, err
	}
	forSidecars := names.WithSuffix(names.Controller, p.CanarySuffix)
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() == names.WithSuffix(names.Validator, p.CanarySuffix) || alias && o.GetName() != forSidecars
	})
	if alias {
		for _, object := range objects {
			if err := unstructured.SetNestedField(object.Object, names.Controller, "spec", "selector", names.AppLabel); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}

// addCanarySuffix adds the suffix to the name of an object and to its references. An empty suffix changes nothing.
func addCanarySuffix(object *unstructured.Unstructured, suffix string) {
	if suffix == "" {
		return
	}
	object.SetName(names.WithSuffix(object.GetName(), suffix))
	// The command line finds meshes by this label, and a canary is not a separate mesh.
	unstructured.RemoveNestedField(object.Object, "metadata", "labels", names.MeshNameLabel)
	if role, ok := object.Object["roleRef"].(map[string]any); ok {
		rename(role, "name", suffix)
	}
	if subjects, ok := object.Object["subjects"].([]any); ok {
		for _, subject := range subjects {
			if subject, ok := subject.(map[string]any); ok {
				rename(subject, "name", suffix)
			}
		}
	}
	renameReferences(object.Object, suffix)
}

// renameReferences adds the suffix to all labels, selectors, service accounts and Secrets in a value.
func renameReferences(value any, suffix string) {
	switch value := value.(type) {
	case map[string]any:
		rename(value, names.AppLabel, suffix)
		rename(value, "serviceAccountName", suffix)
		if value["secretName"] == names.InjectorCertSecret {
			value["secretName"] = names.CanaryCertSecret
		}
		for _, inner := range value {
			renameReferences(inner, suffix)
		}
	case []any:
		for _, inner := range value {
			renameReferences(inner, suffix)
		}
	}
}

// rename adds the suffix to a field that names a component of the control plane.
func rename(fields map[string]any, key, suffix string) {
	if name, ok := fields[key].(string); ok && names.Component(name) == name {
		fields[key] = names.WithSuffix(name, suffix)
	}
}
