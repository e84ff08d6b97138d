package operand

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// The flags without which a control plane cannot run beside another one: new sidecars would connect to the other one, and both would write
// the status of policies.
const (
	xdsHostFlag     = "xds-host"
	writeStatusFlag = "write-status"
)

// Suffix is what the names of a revision's objects end with while it runs beside the mesh's own: its name without that of the mesh.
func Suffix(mesh, revision string) string { return strings.TrimPrefix(revision, mesh+"-") }

// CanRunBeside says why a control plane of this version cannot run beside the mesh's own; nil when it can. Its manifests tell: a version
// that does not list a flag does not have it.
func (r *Release) CanRunBeside() error {
	for _, needed := range []struct{ file, flag string }{{injectorFile, xdsHostFlag}, {controllerFile, writeStatusFlag}} {
		listed, err := r.lists(needed.file, needed.flag)
		if err != nil {
			return err
		}
		if !listed {
			return fmt.Errorf("version %s cannot run beside another version, because it has no flag --%s: set spec.upgrade.strategy to InPlace for it",
				r.Version, needed.flag)
		}
	}
	return nil
}

// lists says whether a container in a manifest has a flag.
func (r *Release) lists(file, flag string) (bool, error) {
	objects, err := r.copies(file)
	if err != nil {
		return false, err
	}
	listed := false
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		err := editDeployment(object, func(d *deployment) error {
			for _, container := range d.Spec.Template.Spec.Containers {
				listed = listed || slices.ContainsFunc(container.Args, func(argument string) bool { return flagName(argument) == flag })
			}
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("the Deployment %s of version %s cannot be read: %w", object.GetName(), r.Version, err)
		}
	}
	return listed, nil
}

// BesideServices renders the Services of a control plane beside the mesh's own: for sidecars, for reports and for the injector's webhook.
// As an alias there is only the one for sidecars, and it leads to the mesh's own control plane: sidecars keep for life the host that they
// began with, also when the control plane that they began with has taken the place of the mesh's own, or has gone.
func (r *Release) BesideServices(p Parameters, alias bool) ([]*unstructured.Unstructured, error) {
	if p.Beside == "" {
		return nil, fmt.Errorf("the Services beside those of the mesh cannot be rendered: their suffix is empty")
	}
	objects, err := r.render(p, servicesFile)
	if err != nil {
		return nil, err
	}
	forSidecars := names.Beside(names.Controller, p.Beside)
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetName() == names.Beside(names.Validator, p.Beside) || alias && o.GetName() != forSidecars
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

// moveBeside gives an object of the mesh's own control plane, and what it refers to, the names of one beside it. Without a suffix it
// stays as it is.
func moveBeside(object *unstructured.Unstructured, suffix string) {
	if suffix == "" {
		return
	}
	object.SetName(names.Beside(object.GetName(), suffix))
	// By this label the command line finds meshes: the one beside is no other mesh.
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

// renameReferences renames labels, selectors, accounts and Secrets, wherever in an object they are.
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

// rename gives one field the suffix if it names a part of the control plane.
func rename(fields map[string]any, key, suffix string) {
	if name, ok := fields[key].(string); ok && names.Component(name) == name {
		fields[key] = names.Beside(name, suffix)
	}
}
