package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// FieldManager is the operator's field manager.
	FieldManager = "osm-operator"
	// HashAnnotation holds a hash of the last applied configuration. It reveals a field that is no longer rendered.
	HashAnnotation = "operator.openservicemesh.io/applied-hash"
)

// Outcome is the result of an apply. Its values are the reasons of Events.
type Outcome string

// The outcomes.
const (
	// Unchanged means that nothing was written.
	Unchanged Outcome = "Unchanged"
	// Created means that the object did not exist.
	Created Outcome = "Created"
	// Updated means that the rendered object differs from the last applied one.
	Updated Outcome = "Updated"
	// DriftRepaired means that the live object was changed outside the operator, and the change was reverted.
	DriftRepaired Outcome = "DriftRepaired"
	// DriftIgnored means that nothing was written because of names.DriftAnnotation.
	DriftIgnored Outcome = "DriftIgnored"
)

// Applier applies rendered objects and records Events about the changes. Each controller has its own.
type Applier struct {
	client   client.Client
	recorder events.EventRecorder
	history  history
	// Repairs counts objects whose changes or deletion outside the operator were reverted, by mesh and kind. It may be nil.
	Repairs func(mesh, kind string)
	// Meshes reads Meshes, so that no object is taken away from another mesh. Without it, the label of another mesh counts as drift.
	Meshes client.Reader
}

// New returns an Applier. The cache that c reads from must hold every kind that is applied.
func New(c client.Client, recorder events.EventRecorder) *Applier {
	return &Applier{client: c, recorder: recorder, history: history{last: map[types.UID]*reconciliation{}}}
}

// ApplyAll applies the objects of an owner in a new Session. They are all that its reconciliation applies.
func (a *Applier) ApplyAll(ctx context.Context, owner client.Object, objects []*unstructured.Unstructured) error {
	return a.For(owner).ApplyAll(ctx, objects)
}

// ApplyWithoutEvents applies an object. It forces conflicts: the operator owns what it renders. It returns the fields whose drift was repaired,
// for Events of the caller. Afterwards the object has the UID of the live one.
func (a *Applier) ApplyWithoutEvents(ctx context.Context, object *unstructured.Unstructured) (Outcome, []string, error) {
	desired := object.DeepCopy()
	hash, err := hashOf(desired)
	if err != nil {
		return Unchanged, nil, objectError(desired, "hashed", err)
	}
	annotations := desired.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[HashAnnotation] = hash
	desired.SetAnnotations(annotations)

	live, err := a.claim(ctx, desired)
	if err != nil {
		return Unchanged, nil, err
	}
	keepClaimSize(desired, live)
	outcome, fields := decide(desired, live, hash)
	if outcome == Unchanged || outcome == DriftIgnored {
		object.SetUID((&unstructured.Unstructured{Object: live}).GetUID())
		return outcome, nil, nil
	}
	if err := a.keepReplicas(ctx, desired, live); err != nil {
		return Unchanged, nil, err
	}
	if err := a.apply(ctx, desired, live); err != nil {
		return Unchanged, nil, err
	}
	object.SetUID(desired.GetUID())
	log.FromContext(ctx).Info("applied", "object", describe(desired), "outcome", outcome, "fields", fields)
	return outcome, fields, nil
}

// ApplyUnconditionally applies an object without a comparison, without HashAnnotation and without Events.
func (a *Applier) ApplyUnconditionally(ctx context.Context, desired *unstructured.Unstructured) error {
	live, err := a.claim(ctx, desired)
	if err != nil {
		return err
	}
	return a.apply(ctx, desired, live)
}

// decide compares the rendered object with the live one, which is nil when it does not exist.
func decide(desired *unstructured.Unstructured, live map[string]any, hash string) (Outcome, []string) {
	if live == nil {
		return Created, nil
	}
	if ignoresDrift(desired, live) {
		return DriftIgnored, nil
	}
	applied, _, _ := unstructured.NestedString(live, "metadata", "annotations", HashAnnotation)
	fields := Differences(desired.Object, live)
	switch {
	case applied != hash:
		return Updated, nil
	case len(fields) > 0:
		return DriftRepaired, fields
	}
	return Unchanged, nil
}

// live reads an object from the cache as unstructured content. It returns nil when the object does not exist.
func (a *Applier) live(ctx context.Context, desired *unstructured.Unstructured) (map[string]any, error) {
	gvk := desired.GroupVersionKind()
	typed, err := a.client.Scheme().New(gvk)
	if runtime.IsNotRegisteredError(err) {
		typed, err = &unstructured.Unstructured{}, nil
		typed.GetObjectKind().SetGroupVersionKind(gvk)
	}
	if err != nil {
		return nil, objectError(desired, "read", err)
	}
	object, ok := typed.(client.Object)
	if !ok {
		return nil, objectError(desired, "read", errors.New("its kind has no metadata"))
	}
	err = a.client.Get(ctx, client.ObjectKeyFromObject(desired), object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, objectError(desired, "read", err)
	}
	// A typed cache returns objects without their kind.
	object.GetObjectKind().SetGroupVersionKind(gvk)
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}

// hashOf is a short hash of a configuration. Equal objects have equal hashes, because maps are marshalled in key order.
func hashOf(object *unstructured.Unstructured) (string, error) {
	text, err := object.MarshalJSON()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
