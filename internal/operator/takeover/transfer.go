package takeover

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// ReplacedAnnotation on an object of an Open Service Mesh records what the operator has replaced in it, as JSON. It is written before anything else
	// changes, and the object has it as long as the record is needed.
	ReplacedAnnotation = "operator.openservicemesh.io/replaced"
	// reconcileLabel marks objects that an Open Service Mesh restores after changes.
	reconcileLabel = "openservicemesh.io/reconcile"
)

// record is the content of ReplacedAnnotation for a webhook configuration.
type record struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owners      []any             `json:"ownerReferences,omitempty"`
	Webhooks    []any             `json:"webhooks"`
}

// Transfer is the change of webhook configurations of one kind between an Open Service Mesh and a mesh.
type Transfer struct {
	// Mesh and Namespace are those of the mesh, From is the namespace of the Open Service Mesh.
	Mesh, Namespace, From string
	// Own is the configuration of the mesh as it is rendered; nil before it can be.
	Own *unstructured.Unstructured
	// Kind and OwnName are the kind and the name of Own.
	Kind, OwnName string
	// Optional is true if the Open Service Mesh may have no configuration of this kind.
	Optional bool
	// Forward is true if the mesh shall answer, and false if the Open Service Mesh shall.
	Forward bool
}

// Action is what to do about one webhook configuration.
type Action string

// The actions.
const (
	// Keep changes nothing.
	Keep Action = "Keep"
	// Change replaces the configuration by another content.
	Change Action = "Change"
	// Remove deletes the configuration.
	Remove Action = "Remove"
	// Lost means that the configuration of the Open Service Mesh is not known.
	Lost Action = "Lost"
	// Unmanaged means that the configuration belongs neither to the mesh nor to the Open Service Mesh.
	Unmanaged Action = "Unmanaged"
)

// Step is the next change of one webhook configuration.
type Step struct {
	Action Action
	// Before is the live object, After its content after a Change.
	Before, After *unstructured.Unstructured
}

// Steps returns the next step of each webhook configuration, in the order in which to take them. live are the configurations of one kind that belong
// to the mesh or to the Open Service Mesh. At each moment at least one of the injectors answers for each pod: a configuration with another name than the
// mesh's own calls the mesh's server until the own one is registered, and from the moment before that is restored.
func (h Transfer) Steps(live []*unstructured.Unstructured) ([]Step, error) {
	var own *unstructured.Unstructured
	var others []*unstructured.Unstructured
	for _, object := range live {
		if object.GetName() == h.OwnName {
			own = object
		} else if h.IsFromOSM(object) {
			others = append(others, object)
		}
	}
	registered := own != nil && h.isOurs(own)
	var steps []Step
	for _, object := range others {
		step, err := h.stepOfOther(object, registered)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if own == nil {
		return steps, nil
	}
	step, err := h.stepOfOwn(own, others)
	return append(steps, step), err
}

// IsRegistered reports whether the configuration of the mesh is registered.
func (h Transfer) IsRegistered(live []*unstructured.Unstructured) bool {
	return slices.ContainsFunc(live, func(object *unstructured.Unstructured) bool { return object.GetName() == h.OwnName && h.isOurs(object) })
}

// IsFromOSM reports whether an Open Service Mesh has made a webhook configuration for this mesh, or had before it was replaced.
func (h Transfer) IsFromOSM(object *unstructured.Unstructured) bool {
	labels := object.GetLabels()
	if labels[names.NameLabel] != names.AppName || labels[names.InstanceLabel] != h.Mesh {
		return false
	}
	return object.GetAnnotations()[ReplacedAnnotation] != "" || labels[names.MeshLabel] == "" && callsNamespace(object, h.From)
}

// isOurs reports whether a configuration with the name of the mesh's own is registered for the mesh.
func (h Transfer) isOurs(object *unstructured.Unstructured) bool {
	return object.GetLabels()[names.MeshLabel] == h.Mesh && callsNamespace(object, h.Namespace)
}

// stepOfOwn decides about the configuration with the name of the mesh's own. The rollout overwrites it once it has a record, and repairs it.
func (h Transfer) stepOfOwn(live *unstructured.Unstructured, others []*unstructured.Unstructured) (Step, error) {
	recorded := live.GetAnnotations()[ReplacedAnnotation] != ""
	labelled := live.GetLabels()[names.MeshLabel] == h.Mesh
	switch {
	case h.Forward && labelled:
		return h.change(live, withoutLabel(live, reconcileLabel))
	case h.Forward && h.IsFromOSM(live):
		after, err := h.recorded(live)
		if err != nil {
			return Step{}, err
		}
		return h.change(live, after)
	case h.Forward:
		return Step{Action: Unmanaged, Before: live}, nil
	case recorded:
		after, err := h.restored(live)
		if err != nil {
			return Step{Action: Lost, Before: live}, nil //nolint:nilerr // a damaged record is a lost one
		}
		return h.change(live, after)
	case labelled && callsNamespace(live, h.From):
		// The Open Service Mesh has written its webhooks back.
		after := live.DeepCopy()
		release(after)
		return h.change(live, after)
	case labelled && (h.Optional || slices.ContainsFunc(others, func(o *unstructured.Unstructured) bool { return len(webhooksOf(o)) > 0 })):
		return Step{Action: Remove, Before: live}, nil
	case labelled && len(others) > 0:
		// Another configuration answers after its step.
		return Step{Keep, live, nil}, nil
	case labelled:
		return Step{Action: Lost, Before: live}, nil
	}
	return Step{Keep, live, nil}, nil
}

// stepOfOther decides about a configuration with another name than the mesh's own.
func (h Transfer) stepOfOther(live *unstructured.Unstructured, registered bool) (Step, error) {
	if !h.Forward && (!registered || h.Own == nil) {
		if live.GetAnnotations()[ReplacedAnnotation] == "" {
			return Step{Keep, live, nil}, nil
		}
		after, err := h.restored(live)
		if err != nil {
			return Step{Action: Lost, Before: live}, nil //nolint:nilerr // a damaged record is a lost one
		}
		return h.change(live, after)
	}
	var webhooks []any
	switch {
	case h.Forward && registered:
		webhooks = []any{}
	case h.Own == nil:
		return Step{Keep, live, nil}, nil
	default:
		webhooks, _, _ = unstructured.NestedSlice(h.Own.Object, "webhooks")
	}
	after, err := h.recorded(live)
	if err != nil {
		return Step{}, err
	}
	if len(webhooks) == 0 && len(webhooksOf(live)) == 0 || isSubset(webhooks, webhooksOf(live)) {
		return h.change(live, after)
	}
	after.Object["webhooks"] = webhooks
	return h.change(live, after)
}

// isSubset reports whether live webhooks are the desired ones, apart from defaults of the API server.
func isSubset(desired, live []any) bool {
	return len(desired) == len(live) &&
		len(apply.Differences(map[string]any{"webhooks": desired}, map[string]any{"webhooks": live})) == 0
}

// change is a step to another content, or none for the same one.
func (h Transfer) change(before, after *unstructured.Unstructured) (Step, error) {
	if equality.Semantic.DeepEqual(before.Object, after.Object) {
		return Step{Keep, before, nil}, nil
	}
	return Step{Change, before, after}, nil
}

// recorded returns an object with a record of its content, and without the label by which an Open Service Mesh would restore it. A record of earlier
// webhooks of the Open Service Mesh is replaced.
func (h Transfer) recorded(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	after := withoutLabel(live, reconcileLabel)
	text, exists := live.GetAnnotations()[ReplacedAnnotation]
	if exists && !callsNamespace(live, h.From) {
		return after, nil
	}
	var r record
	if exists {
		var err error
		if r, err = parseRecord(text); err != nil {
			return nil, fmt.Errorf("the annotation %s of %s is damaged: %w", ReplacedAnnotation, live.GetName(), err)
		}
	} else {
		r.Labels, r.Annotations = live.GetLabels(), live.GetAnnotations()
		r.Owners, _, _ = unstructured.NestedSlice(live.Object, "metadata", "ownerReferences")
	}
	r.Webhooks = webhooksOf(live)
	content, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	annotations := maps.Clone(live.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[ReplacedAnnotation] = string(content)
	after.SetAnnotations(annotations)
	return after, nil
}

// parseRecord reads the content of ReplacedAnnotation. Its numbers are those of unstructured objects.
func parseRecord(text string) (record, error) {
	content := map[string]any{}
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return record{}, err
	}
	var r record
	var err [4]error
	r.Labels, _, err[0] = unstructured.NestedStringMap(content, "labels")
	r.Annotations, _, err[1] = unstructured.NestedStringMap(content, "annotations")
	r.Owners, _, err[2] = unstructured.NestedSlice(content, "ownerReferences")
	r.Webhooks, _, err[3] = unstructured.NestedSlice(content, "webhooks")
	return r, errors.Join(err[:]...)
}

// restored returns an object with the content of its record.
func (h Transfer) restored(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	r, err := parseRecord(live.GetAnnotations()[ReplacedAnnotation])
	if err != nil {
		return nil, err
	}
	if len(r.Webhooks) == 0 {
		return nil, fmt.Errorf("the record of %s has no webhooks", live.GetName())
	}
	after := live.DeepCopy()
	after.SetLabels(r.Labels)
	after.SetAnnotations(r.Annotations)
	unstructured.RemoveNestedField(after.Object, "metadata", "ownerReferences")
	if len(r.Owners) > 0 {
		if err := unstructured.SetNestedSlice(after.Object, r.Owners, "metadata", "ownerReferences"); err != nil {
			return nil, err
		}
	}
	after.Object["webhooks"] = r.Webhooks
	return after, nil
}

// release removes what the operator adds to the metadata of a webhook configuration.
func release(object *unstructured.Unstructured) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	delete(labels, names.MeshLabel)
	delete(annotations, apply.HashAnnotation)
	delete(annotations, ReplacedAnnotation)
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
	object.SetOwnerReferences(nil)
}

// withoutLabel returns a copy of an object without a label.
func withoutLabel(object *unstructured.Unstructured, label string) *unstructured.Unstructured {
	after := object.DeepCopy()
	if labels := after.GetLabels(); labels[label] != "" {
		delete(labels, label)
		after.SetLabels(labels)
	}
	return after
}

// Forgotten returns a copy of a configuration without the record of the Open Service Mesh.
func Forgotten(object *unstructured.Unstructured) *unstructured.Unstructured {
	after := object.DeepCopy()
	annotations := after.GetAnnotations()
	delete(annotations, ReplacedAnnotation)
	after.SetAnnotations(annotations)
	return after
}

func webhooksOf(object *unstructured.Unstructured) []any {
	webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
	return webhooks
}

// callsNamespace reports whether a webhook of a configuration calls a Service in a namespace.
func callsNamespace(object *unstructured.Unstructured, namespace string) bool {
	for _, webhook := range webhooksOf(object) {
		fields, _ := webhook.(map[string]any)
		called, _, _ := unstructured.NestedString(fields, "clientConfig", "service", "namespace")
		if called != "" && called == namespace {
			return true
		}
	}
	return false
}
