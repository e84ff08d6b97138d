package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// FieldManager is the name under which the operator owns fields.
	FieldManager = "osm-operator"
	// HashAnnotation holds a hash of what was applied last, so that a field that is no longer rendered is noticed.
	HashAnnotation = "operator.openservicemesh.io/applied-hash"
)

// Outcome says what Apply did.
type Outcome string

// The outcomes.
const (
	// Unchanged means that nothing was written.
	Unchanged Outcome = "Unchanged"
	// Created means that the object did not exist.
	Created Outcome = "Created"
	// Updated means that what is wanted has changed.
	Updated Outcome = "Updated"
	// Repaired means that somebody had changed the object, and the change was undone.
	Repaired Outcome = "DriftRepaired"
	// LeftAlone means that nothing was written because of DriftAnnotation.
	LeftAlone Outcome = "LeftAlone"
)

// Applier applies rendered objects and tells about it with Events.
type Applier struct {
	client   client.Client
	recorder events.EventRecorder
	alone    *leftAlone
}

// New makes an Applier. c reads from a cache that watches every kind that will be applied.
func New(c client.Client, recorder events.EventRecorder) *Applier {
	return &Applier{client: c, recorder: recorder, alone: newLeftAlone()}
}

// All applies objects in their order, on behalf of owner, and stops at the first error. It says whether anything was written.
func (a *Applier) All(ctx context.Context, owner client.Object, objects []*unstructured.Unstructured) (bool, error) {
	written := false
	for _, object := range objects {
		outcome, err := a.One(ctx, owner, object)
		if err != nil {
			return written, err
		}
		written = written || outcome != Unchanged && outcome != LeftAlone
	}
	return written, nil
}

// One applies an object on behalf of owner, which Events are about. Conflicts are forced: what is rendered is the operator's.
func (a *Applier) One(ctx context.Context, owner client.Object, object *unstructured.Unstructured) (Outcome, error) {
	outcome, fields, err := a.Silently(ctx, object)
	if err != nil {
		return outcome, err
	}
	a.Notice(owner, object, outcome == LeftAlone)
	a.tell(owner, object, outcome, fields)
	return outcome, nil
}

// Silently is One without Events: the caller tells, with the fields that had been changed by somebody else.
func (a *Applier) Silently(ctx context.Context, object *unstructured.Unstructured) (Outcome, []string, error) {
	desired := object.DeepCopy()
	hash, err := hashOf(desired)
	if err != nil {
		return Unchanged, nil, err
	}
	annotations := desired.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[HashAnnotation] = hash
	desired.SetAnnotations(annotations)

	live, err := a.live(ctx, desired)
	if err != nil {
		return Unchanged, nil, err
	}
	outcome, fields := decide(desired, live, hash)
	if outcome == Unchanged || outcome == LeftAlone {
		return outcome, nil, nil
	}
	if err := a.handOver(ctx, desired, live); err != nil {
		return Unchanged, nil, err
	}
	if err := a.apply(ctx, desired, live); err != nil {
		return Unchanged, nil, fmt.Errorf("%s cannot be applied: %w", describe(desired), err)
	}
	log.FromContext(ctx).Info("applied", "object", describe(desired), "outcome", outcome, "fields", fields)
	return outcome, fields, nil
}

// decide compares the rendered object with the live one; live is nil when there is none.
func decide(desired *unstructured.Unstructured, live map[string]any, hash string) (Outcome, []string) {
	if live == nil {
		return Created, nil
	}
	if ignored(desired, live) {
		return LeftAlone, nil
	}
	applied, _, _ := unstructured.NestedString(live, "metadata", "annotations", HashAnnotation)
	fields := Differences(desired.Object, live)
	switch {
	case applied != hash:
		return Updated, nil
	case len(fields) > 0:
		return Repaired, fields
	}
	return Unchanged, nil
}

// live reads an object from the cache, as the map that its JSON would be. It is nil when the object does not exist.
func (a *Applier) live(ctx context.Context, desired *unstructured.Unstructured) (map[string]any, error) {
	gvk := desired.GroupVersionKind()
	typed, err := a.client.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", describe(desired), err)
	}
	object, ok := typed.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%s cannot be read: its kind has no metadata", describe(desired))
	}
	err = a.client.Get(ctx, client.ObjectKeyFromObject(desired), object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", describe(desired), err)
	}
	// Objects from a typed cache do not say what they are.
	object.GetObjectKind().SetGroupVersionKind(gvk)
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}

// tell writes an Event about a change. The object is named as related: Events about equal objects are counted, not repeated.
func (a *Applier) tell(owner client.Object, object *unstructured.Unstructured, outcome Outcome, fields []string) {
	what := describe(object)
	switch outcome {
	case Created:
		a.recorder.Eventf(owner, object, corev1.EventTypeNormal, string(outcome), "Apply", "created %s", what)
	case Updated:
		a.recorder.Eventf(owner, object, corev1.EventTypeNormal, string(outcome), "Apply", "updated %s", what)
	case Repaired:
		a.recorder.Eventf(owner, object, corev1.EventTypeWarning, string(outcome), "Apply",
			"%s was changed by somebody else, put back: %s", what, short(fields))
	}
}

// maxFieldsTold keeps Events readable and below their limit of 1024 characters.
const maxFieldsTold = 5

// short lists some fields.
func short(fields []string) string {
	if len(fields) > maxFieldsTold {
		return fmt.Sprintf("%s and %d more", strings.Join(fields[:maxFieldsTold], ", "), len(fields)-maxFieldsTold)
	}
	return strings.Join(fields, ", ")
}

// describe names an object as users know it.
func describe(object client.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if object.GetNamespace() == "" {
		return kind + " " + object.GetName()
	}
	return kind + " " + object.GetNamespace() + "/" + object.GetName()
}

// hashOf is a short hash of what will be applied. Maps marshal in the order of their keys, so equal objects have equal hashes.
func hashOf(object *unstructured.Unstructured) (string, error) {
	text, err := object.MarshalJSON()
	if err != nil {
		return "", fmt.Errorf("%s cannot be hashed: %w", describe(object), err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// Own makes owner the controller of objects, so that they go when it goes.
func Own(owner client.Object, scheme *runtime.Scheme, objects ...*unstructured.Unstructured) error {
	kinds, _, err := scheme.ObjectKinds(owner)
	if err != nil {
		return fmt.Errorf("the kind of the owner %s is not known: %w", owner.GetName(), err)
	}
	yes := true
	reference := metav1.OwnerReference{
		APIVersion: kinds[0].GroupVersion().String(), Kind: kinds[0].Kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: &yes,
	}
	for _, object := range objects {
		object.SetOwnerReferences([]metav1.OwnerReference{reference})
	}
	return nil
}
